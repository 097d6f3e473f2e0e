package tracing_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// BenchmarkOff is what an order's spans and headers cost while tracing is off, in parts of one request
// over loopback: the least of what an order costs, which needs three and two commits.
func BenchmarkOff(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	tracer := otel.Tracer("recarga")
	var spans, request time.Duration
	for b.Loop() {
		start := time.Now()
		spansOfAnOrder(tracer)
		between := time.Now()
		res, err := server.Client().Get(server.URL)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		spans, request = spans+between.Sub(start), request+time.Since(between)
	}
	b.ReportMetric(float64(spans)/float64(b.N), "ns/noop")
	b.ReportMetric(float64(spans)/float64(request), "noop/request")
}

// spansOfAnOrder does what the program does for one order: enqueue, task, purchase and webhook, with the
// headers of each.
func spansOfAnOrder(tracer trace.Tracer) {
	ctx := context.Background()
	propagator := otel.GetTextMapPropagator()
	for _, kind := range []trace.SpanKind{trace.SpanKindProducer, trace.SpanKindConsumer, trace.SpanKindClient,
		trace.SpanKindClient} {
		within, span := tracer.Start(propagator.Extract(ctx, propagation.MapCarrier(nil)), "span", trace.WithSpanKind(kind))
		propagator.Inject(within, propagation.MapCarrier(nil))
		if span.IsRecording() {
			panic("tracing is on")
		}
		span.End()
		ctx = trace.ContextWithSpan(ctx, span)
	}
}
