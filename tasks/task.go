package tasks

import "github.com/hibiken/asynq"

// Task is a task as a worker receives it. No package but this one and the queue's needs to know asynq.
type Task struct {
	// ID is the task's own, from the queue that runs it; empty where none does.
	ID string
	// Type is TypePurchase or TypeDeliver.
	Type string
	// Payload is JSON, not yet checked: anybody who can write to Redis may have written it.
	Payload []byte
	// Headers are the signature and the trace, where the task has them.
	Headers map[string]string
}

// ErrArchive, returned by a task's handler, ends the task as an archived one, with the error's text as the reason.
var ErrArchive = asynq.SkipRetry

// Received is asynq's task as its handler receives it, but for its id, which asynq keeps in the handler's context.
func Received(task *asynq.Task) Task {
	return Task{Type: task.Type(), Payload: task.Payload(), Headers: task.Headers()}
}
