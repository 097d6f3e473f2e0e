package webhook

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"recarga/topup"
)

// within is a context that ends as life does and belongs to the trace of ctx.
func within(life, ctx context.Context) context.Context {
	return trace.ContextWithSpan(life, trace.SpanFromContext(ctx))
}

func (d *Deliverer) startTry(ctx context.Context, ev topup.Event, to target) (context.Context, trace.Span) {
	ctx, span := d.tracer.Start(ctx, "POST webhook", trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		_, host, _ := strings.Cut(to.origin, "://")
		span.SetAttributes(semconv.HTTPRequestMethodPost, semconv.ServerAddress(host),
			attribute.String("recarga.event.type", string(ev.Type)), attribute.String(topup.TraceEvent, ev.ID),
			attribute.String(topup.TraceOrder, string(ev.OrderID)), attribute.Int(topup.TraceTry, ev.TryCount+1))
	}
	return ctx, span
}

func endTry(span trace.Span, a answer, state topup.EventState) {
	if span.IsRecording() {
		span.SetAttributes(attribute.String(topup.TraceOutcome, string(state)))
		if a.status != 0 {
			span.SetAttributes(semconv.HTTPResponseStatusCode(a.status))
		}
		if state != topup.EventDelivered {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}

// passTrace lets the receiver continue the trace: traceparent, and tracestate where the caller sent one.
func passTrace(ctx context.Context, h http.Header) {
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(h))
}
