package distributor

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"recarga/topup"
)

func (c *Client) startPurchase(ctx context.Context, o topup.Order) (context.Context, trace.Span) {
	ctx, span := c.tracer.Start(ctx, "POST product_purchase", trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(semconv.HTTPRequestMethodPost, semconv.ServerAddress(c.host),
			attribute.String(topup.TraceOrder, string(o.ID)), attribute.Int(topup.TraceAttempt, o.AttemptCount))
	}
	return ctx, span
}

// endPurchase ends the span with what became of the purchase. A decline is no error of the call.
func endPurchase(span trace.Span, r topup.Result) {
	if span.IsRecording() {
		span.SetAttributes(attribute.String(topup.TraceOutcome, string(r.Outcome)))
		if r.Code != "" {
			span.SetAttributes(attribute.String(topup.TraceCode, string(r.Code)))
		}
		if r.HTTPStatus != 0 {
			span.SetAttributes(semconv.HTTPResponseStatusCode(r.HTTPStatus))
		}
		if r.Outcome != topup.OutcomeApproved && r.Outcome != topup.OutcomeDeclined {
			span.SetStatus(codes.Error, string(r.Outcome))
		}
	}
	span.End()
}

// passTrace passes on to the distributor which span its work belongs to, and nothing else: others may have put
// something into tracestate and baggage.
func passTrace(ctx context.Context, h http.Header) {
	carrier := propagation.HeaderCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	if parent := carrier.Get(traceparent); parent != "" {
		h.Set(traceparent, parent)
	}
}

const traceparent = "Traceparent"
