package worker

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"recarga/topup"
)

// lasting is a context that belongs to the trace of ctx and ends only with the worker: what must be
// written is written although a task's time is over.
func (w *Worker) lasting(ctx context.Context) context.Context {
	return trace.ContextWithSpan(w.closing, trace.SpanFromContext(ctx))
}

// noteOrder records in the task's span which order it is about.
func noteOrder(ctx context.Context, id topup.ID) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String(topup.TraceOrder, string(id)))
	}
}

// noteSettled records in the task's span the outcome of its attempt.
func noteSettled(ctx context.Context, o topup.Order, outcome topup.Outcome) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.Int(topup.TraceAttempt, o.AttemptCount),
			attribute.String(topup.TraceOutcome, string(outcome)), attribute.String(topup.TraceState, string(o.State)))
	}
}
