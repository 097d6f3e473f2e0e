package queue

import (
	"context"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"recarga/tasks"
)

// startEnqueue starts the span in which a task is enqueued: the parent of all that is done for the task.
func (q *Queue) startEnqueue(ctx context.Context, s subject) (context.Context, trace.Span) {
	ctx, span := q.tracer.Start(ctx, "enqueue "+s.queue, trace.WithSpanKind(trace.SpanKindProducer))
	if span.IsRecording() {
		span.SetAttributes(messaging(s.queue, "enqueue", semconv.MessagingOperationTypeSend)...)
		span.SetAttributes(attribute.String(s.attribute, s.id))
	}
	return ctx, span
}

// endEnqueue drops the span where there was nothing to enqueue: a sweep asks for the same tasks every
// few seconds, and a span that does not end is not sent.
func endEnqueue(span trace.Span, taskID string, err error) {
	switch {
	case err != nil:
		span.SetStatus(codes.Error, "")
	case taskID == "":
		return
	case span.IsRecording():
		span.SetAttributes(semconv.MessagingMessageID(taskID))
	}
	span.End()
}

// startTask starts the span of one run of a task. All of its runs belong to the trace that it was
// enqueued in, however much later.
func (q *Queue) startTask(ctx context.Context, task tasks.Task) (context.Context, trace.Span) {
	queue, _ := asynq.GetQueueName(ctx)
	ctx, span := q.tracer.Start(tasks.Context(ctx, task), "process "+queue, trace.WithSpanKind(trace.SpanKindConsumer))
	if span.IsRecording() {
		span.SetAttributes(messaging(queue, "process", semconv.MessagingOperationTypeProcess)...)
		span.SetAttributes(semconv.MessagingMessageID(task.ID))
	}
	return ctx, span
}

// endTask leaves the error itself to the log: it may quote the payload.
func endTask(span trace.Span, err error) {
	if isFailure(err) {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

func messaging(queue, operation string, kind attribute.KeyValue) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKey.String("asynq"), semconv.MessagingDestinationName(queue),
		semconv.MessagingOperationName(operation), kind,
	}
}
