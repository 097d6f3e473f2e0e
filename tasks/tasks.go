// Package tasks is the contract of the queue: the names of its queues and task types, their payloads, and the options
// of every task.
//
// A program that has only Redis may enqueue a purchase itself:
//
//	task, err := tasks.NewPurchase(request)
//	info, err := client.Enqueue(task) // an asynq.Client on Recarga's Redis
//
// The worker writes the order to the book of record before it acts on it, by the same rules as the API: its caller
// must be registered and enabled. If RECARGA_TASK_KEY is set, the task must be signed:
//
//	task, err := tasks.NewPurchase(request, tasks.SignedWith(key))
package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"recarga/internal/strictjson"
	"recarga/topup"
)

// The queues. A purchase and a webhook never wait for each other.
const (
	QueueTopups   = "topups"
	QueueWebhooks = "webhooks"
)

// The task types, matched exactly (asynq's ServeMux matches by prefix, so it is not used).
const (
	TypePurchase = "topup:purchase"
	TypeDeliver  = "webhook:deliver"
)

const (
	// MaxRetry is asynq's counter, out of the way: attempts and tries are counted in the journal, and
	// a task that asynq no longer retries (or archived after two crashes) would be a wake-up call lost.
	MaxRetry = 1_000_000
	// Timeout of a task in asynq, above anything a handler does by itself: when it passes, asynq
	// frees the slot and retries while the handler may still run, so it must never be what ends a
	// purchase. (Zero would not mean "none" but asynq's default.)
	Timeout = 30 * time.Minute
)

// NewPurchase is the task that asks a worker to process an order. Its id is the order's.
func NewPurchase(r topup.Request, options ...Option) (*asynq.Task, error) {
	return NewPurchaseContext(context.Background(), r, options...)
}

// Option changes a task that is made here.
type Option func(*made)

// made is a task that is being made.
type made struct {
	kind    string
	payload []byte
	headers map[string]string
}

// NewPurchaseContext is NewPurchase with the trace of ctx in the task's headers: what becomes of the
// order is part of it. That takes a propagator (otel.SetTextMapPropagator).
func NewPurchaseContext(ctx context.Context, r topup.Request, options ...Option) (*asynq.Task, error) {
	if r.Caller == "" {
		r.Caller = topup.DefaultCaller
	}
	payload, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("purchase task of %s: %w", r.ID, err)
	}
	m := made{kind: TypePurchase, payload: payload, headers: headers(ctx)}
	for _, option := range options {
		option(&m)
	}
	enqueue := append(base(QueueTopups), asynq.TaskID(string(r.ID)))
	if r.ProcessAt != nil {
		enqueue = append(enqueue, asynq.ProcessAt(*r.ProcessAt))
	}
	return asynq.NewTaskWithHeaders(m.kind, m.payload, m.headers, enqueue...), nil
}

// Delivery is the payload of a webhook:deliver task.
type Delivery struct {
	// EventID is the id of the event that is to be delivered.
	EventID string `json:"event_id"`
}

// ParseDelivery reads the payload of a webhook:deliver task, as strictly as topup.ParseRequest reads that of a
// purchase.
func ParseDelivery(payload []byte) (d Delivery, err error) {
	o, err := strictjson.Read(payload)
	switch {
	case err != nil:
		return d, fmt.Errorf("%w: %w", topup.ErrNotObject, err)
	case len(o.Repeated) > 0:
		return d, topup.RepeatedField(o.Repeated[0])
	}
	for _, name := range slices.Sorted(maps.Keys(o.Fields)) {
		if name != fieldEventID {
			return d, topup.UnknownField(name, string(o.Fields[name]), slices.Values([]string{fieldEventID}))
		}
	}
	value := o.Fields[fieldEventID]
	if json.Unmarshal(value, &d.EventID) != nil || d.EventID == "" || strings.ContainsRune(d.EventID, 0) {
		return d, &topup.FieldError{Field: fieldEventID, Value: string(value), Allowed: "the id of an event"}
	}
	return d, nil
}

const fieldEventID = "event_id"

// NewDelivery is the task that asks a worker to deliver an event, with the trace of ctx in its headers.
// Its id is the event's.
func NewDelivery(ctx context.Context, eventID string) (*asynq.Task, error) {
	payload, err := json.Marshal(Delivery{EventID: eventID})
	if err != nil {
		return nil, fmt.Errorf("delivery task of %s: %w", eventID, err)
	}
	enqueue := append(base(QueueWebhooks), asynq.TaskID(eventID))
	return asynq.NewTaskWithHeaders(TypeDeliver, payload, headers(ctx), enqueue...), nil
}

// base are the options of every task. There is no Unique (its lock outlives a failed enqueue), no
// Retention (a finished task would keep its id taken) and no Deadline (a task past it is archived
// without a run): the journal does what they are for.
func base(queue string) []asynq.Option {
	return []asynq.Option{asynq.Queue(queue), asynq.MaxRetry(MaxRetry), asynq.Timeout(Timeout)}
}
