package tasks

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// Context returns ctx with the trace that a task belongs to, which its headers keep over all of its
// retries. A task without headers, and a process that does not trace, have none.
func Context(ctx context.Context, task Task) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, propagation.MapCarrier(task.Headers))
}

// headers are nil without a trace.
func headers(ctx context.Context) map[string]string {
	var carrier lazyCarrier
	otel.GetTextMapPropagator().Inject(ctx, &carrier)
	return carrier.MapCarrier
}

// lazyCarrier makes its map for the first header.
type lazyCarrier struct{ propagation.MapCarrier }

func (c *lazyCarrier) Set(name, value string) {
	if c.MapCarrier == nil {
		c.MapCarrier = propagation.MapCarrier{}
	}
	c.MapCarrier.Set(name, value)
}
