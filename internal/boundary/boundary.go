// Package boundary stands between a process and all that outlives it: every call of the journal, the queue and the
// shared token passes a Gate, which may refuse it, lose its answer, or end the process before or after it. It is for
// the tests that kill the program at each of its steps (internal/crash, internal/sim), and no part of the program.
package boundary

import (
	"context"
	"time"

	"recarga/distributor"
	"recarga/internal/controls"
	"recarga/internal/queue"
	"recarga/internal/wake"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
	"recarga/webhook"
	"recarga/worker"
)

// Call is one call that leaves a process.
type Call struct {
	// Name is the room and the method, as in journal.Finish.
	Name string
	// About is the id of the order or event, or the name of the caller; empty where the call is about none.
	About string
	// Asked is the argument that decides what the call does; nil where its name says it all.
	Asked any
}

// Gate is what calls pass.
type Gate interface {
	// Pass has effect made, or not, and returns an error instead of its answer, or nil. effect returns the answer: for
	// what has two parts, an Accepted, a Changed, or a Disabled.
	Pass(ctx context.Context, c Call, effect func() (any, error)) error
}

// Accepted is the answer of journal.Accept.
type Accepted struct {
	Order    topup.Order // as it now is
	Replayed bool        // it was accepted before
}

// Changed is the answer of what changes an order's state.
type Changed struct {
	Order topup.Order  // as it now is
	Event *topup.Event // nil: its caller is notified of nothing
}

// Disabled is the answer of journal.DisableEndpoint.
type Disabled struct {
	Disabled bool         // by this call
	Event    *topup.Event // nil: the operator is notified of nothing
}

// through makes a call that the gate may cut.
func through[T any](ctx context.Context, g Gate, c Call, effect func() (T, error)) (T, error) {
	var out, nothing T
	var own error
	cut := g.Pass(ctx, c, func() (any, error) {
		out, own = effect()
		return out, own
	})
	if cut != nil {
		return nothing, cut
	}
	return out, own
}

// run is through for a call that returns only an error.
func run(ctx context.Context, g Gate, c Call, effect func() error) error {
	_, err := through(ctx, g, c, func() (struct{}, error) { return struct{}{}, effect() })
	return err
}

// Journal is the book of record, as far as the workflows go.
type Journal interface {
	worker.Journal
	producer.Journal
	webhook.Store
	webhook.Health
	controls.Book
}

// Book is the journal as a process that can die sees it. It embeds nothing: a step that is new to the workflows does
// not compile until it is a boundary here.
type Book struct {
	Gate    Gate    // what calls pass
	Journal Journal // what they come to
}

var _ Journal = Book{}

// Waker is the queue as a process that can die sees it.
type Waker struct {
	Gate  Gate         // what calls pass
	Queue worker.Waker // what they come to
}

var (
	_ worker.Waker = Waker{}
	_ wake.Queue   = Waker{}
)

func (b Book) change(ctx context.Context, c Call,
	effect func() (topup.Order, *topup.Event, error)) (topup.Order, *topup.Event, error) {
	done, err := through(ctx, b.Gate, c, func() (done Changed, err error) {
		done.Order, done.Event, err = effect()
		return done, err
	})
	return done.Order, done.Event, err
}

// Order implements Journal.
func (b Book) Order(ctx context.Context, id topup.ID) (topup.Order, error) {
	return through(ctx, b.Gate, Call{"journal.Order", string(id), nil},
		func() (topup.Order, error) { return b.Journal.Order(ctx, id) })
}

// Details implements Journal.
func (b Book) Details(ctx context.Context, id topup.ID) (topup.Details, error) {
	return through(ctx, b.Gate, Call{"journal.Details", string(id), nil},
		func() (topup.Details, error) { return b.Journal.Details(ctx, id) })
}

// Accept implements Journal.
func (b Book) Accept(ctx context.Context, r topup.Request, now time.Time) (topup.Order, bool, error) {
	a, err := through(ctx, b.Gate, Call{"journal.Accept", string(r.ID), r},
		func() (a Accepted, err error) {
			a.Order, a.Replayed, err = b.Journal.Accept(ctx, r, now)
			return a, err
		})
	return a.Order, a.Replayed, err
}

// AcceptInvalid implements Journal.
func (b Book) AcceptInvalid(ctx context.Context, o topup.Order, why string, now time.Time) (*topup.Event, error) {
	return through(ctx, b.Gate, Call{"journal.AcceptInvalid", string(o.ID), nil},
		func() (*topup.Event, error) { return b.Journal.AcceptInvalid(ctx, o, why, now) })
}

// BeginFirst implements Journal.
func (b Book) BeginFirst(ctx context.Context, id topup.ID, worker string, deadline,
	now time.Time) (topup.Order, error) {
	return through(ctx, b.Gate, Call{"journal.BeginFirst", string(id), nil},
		func() (topup.Order, error) { return b.Journal.BeginFirst(ctx, id, worker, deadline, now) })
}

// Begin implements Journal.
func (b Book) Begin(ctx context.Context, id topup.ID, attempts int, worker string, deadline,
	now time.Time) (topup.Order, error) {
	return through(ctx, b.Gate, Call{"journal.Begin", string(id), nil},
		func() (topup.Order, error) { return b.Journal.Begin(ctx, id, attempts, worker, deadline, now) })
}

// Finish implements Journal.
func (b Book) Finish(ctx context.Context, s topup.Settlement, now time.Time) (topup.Order, *topup.Event, error) {
	return b.change(ctx, Call{"journal.Finish", string(s.ID), s},
		func() (topup.Order, *topup.Event, error) { return b.Journal.Finish(ctx, s, now) })
}

// End implements Journal.
func (b Book) End(ctx context.Context, id topup.ID, now time.Time) (topup.Order, *topup.Event, error) {
	return b.change(ctx, Call{"journal.End", string(id), nil},
		func() (topup.Order, *topup.Event, error) { return b.Journal.End(ctx, id, now) })
}

// Cancel implements Journal.
func (b Book) Cancel(ctx context.Context, id topup.ID, caller string,
	now time.Time) (topup.Order, *topup.Event, error) {
	return b.change(ctx, Call{"journal.Cancel", string(id), nil},
		func() (topup.Order, *topup.Event, error) { return b.Journal.Cancel(ctx, id, caller, now) })
}

// Resolve implements Journal.
func (b Book) Resolve(ctx context.Context, id topup.ID, r topup.Resolution,
	now time.Time) (topup.Order, *topup.Event, error) {
	return b.change(ctx, Call{"journal.Resolve", string(id), r},
		func() (topup.Order, *topup.Event, error) { return b.Journal.Resolve(ctx, id, r, now) })
}

// Hold implements Journal.
func (b Book) Hold(ctx context.Context, id topup.ID, h topup.Hold, now time.Time) (topup.Order, *topup.Event, error) {
	return b.change(ctx, Call{"journal.Hold", string(id), h},
		func() (topup.Order, *topup.Event, error) { return b.Journal.Hold(ctx, id, h, now) })
}

// HoldBack implements Journal.
func (b Book) HoldBack(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return through(ctx, b.Gate, Call{"journal.HoldBack", string(id), nil},
		func() (topup.Order, error) { return b.Journal.HoldBack(ctx, id, now) })
}

// LetGo implements Journal.
func (b Book) LetGo(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return through(ctx, b.Gate, Call{"journal.LetGo", string(id), nil},
		func() (topup.Order, error) { return b.Journal.LetGo(ctx, id, now) })
}

// Restore implements Journal.
func (b Book) Restore(ctx context.Context, c topup.LostCharge, now time.Time) (topup.Order, error) {
	return through(ctx, b.Gate, Call{"journal.Restore", string(c.ID), c},
		func() (topup.Order, error) { return b.Journal.Restore(ctx, c, now) })
}

// Correct implements Journal.
func (b Book) Correct(ctx context.Context, id topup.ID, c topup.Correction,
	now time.Time) (topup.Order, *topup.Event, error) {
	return b.change(ctx, Call{"journal.Correct", string(id), c},
		func() (topup.Order, *topup.Event, error) { return b.Journal.Correct(ctx, id, c, now) })
}

// Uphold implements Journal.
func (b Book) Uphold(ctx context.Context, id topup.ID, u topup.Upholding, now time.Time) (topup.Order, error) {
	return through(ctx, b.Gate, Call{"journal.Uphold", string(id), u},
		func() (topup.Order, error) { return b.Journal.Uphold(ctx, id, u, now) })
}

// Dispute implements Journal.
func (b Book) Dispute(ctx context.Context, id topup.ID, d topup.Dispute, now time.Time) (topup.Order, error) {
	return through(ctx, b.Gate, Call{"journal.Dispute", string(id), d},
		func() (topup.Order, error) { return b.Journal.Dispute(ctx, id, d, now) })
}

// RedeliverWithin implements Journal.
func (b Book) RedeliverWithin(ctx context.Context, ev topup.Event, most int, now time.Time) error {
	return run(ctx, b.Gate, Call{"journal.RedeliverWithin", ev.ID, nil},
		func() error { return b.Journal.RedeliverWithin(ctx, ev, most, now) })
}

// RedeliverAll implements Journal.
func (b Book) RedeliverAll(
	ctx context.Context, f topup.EventFilter, now time.Time, each func(topup.Event),
) (count int, next string, err error) {
	count, err = through(ctx, b.Gate, Call{"journal.RedeliverAll", "", nil},
		func() (n int, err error) {
			n, next, err = b.Journal.RedeliverAll(ctx, f, now, each)
			return n, err
		})
	return count, next, err
}

// Due implements Journal.
func (b Book) Due(ctx context.Context, now time.Time, after topup.Due, limit int) ([]topup.Due, error) {
	return through(ctx, b.Gate, Call{"journal.Due", "", nil},
		func() ([]topup.Due, error) { return b.Journal.Due(ctx, now, after, limit) })
}

// Overdue implements Journal.
func (b Book) Overdue(ctx context.Context, now time.Time, limit int) ([]topup.Due, error) {
	return through(ctx, b.Gate, Call{"journal.Overdue", "", nil},
		func() ([]topup.Due, error) { return b.Journal.Overdue(ctx, now, limit) })
}

// DueEvents implements Journal.
func (b Book) DueEvents(ctx context.Context, now time.Time, after topup.DueEvent,
	limit int) ([]topup.DueEvent, error) {
	return through(ctx, b.Gate, Call{"journal.DueEvents", "", nil},
		func() ([]topup.DueEvent, error) { return b.Journal.DueEvents(ctx, now, after, limit) })
}

// Defer implements Journal.
func (b Book) Defer(ctx context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error {
	return run(ctx, b.Gate, Call{"journal.Defer", string(id), why},
		func() error { return b.Journal.Defer(ctx, id, attempts, why, now) })
}

// Waiting implements Journal.
func (b Book) Waiting(ctx context.Context, each int) ([]topup.Waiting, error) {
	return through(ctx, b.Gate, Call{"journal.Waiting", "", nil},
		func() ([]topup.Waiting, error) { return b.Journal.Waiting(ctx, each) })
}

// Released implements Journal.
func (b Book) Released(ctx context.Context) (int, error) {
	return through(ctx, b.Gate, Call{"journal.Released", "", nil},
		func() (int, error) { return b.Journal.Released(ctx) })
}

// Release implements Journal.
func (b Book) Release(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return through(ctx, b.Gate, Call{"journal.Release", string(id), nil},
		func() (topup.Order, error) { return b.Journal.Release(ctx, id, now) })
}

// Around implements Journal.
func (b Book) Around(ctx context.Context, id topup.ID, number int, now time.Time) (topup.Surroundings, error) {
	return through(ctx, b.Gate, Call{"journal.Around", string(id), nil},
		func() (topup.Surroundings, error) { return b.Journal.Around(ctx, id, number, now) })
}

// AddEvidence implements Journal.
func (b Book) AddEvidence(ctx context.Context, id topup.ID, number int, evidence string) error {
	return run(ctx, b.Gate, Call{"journal.AddEvidence", string(id), nil},
		func() error { return b.Journal.AddEvidence(ctx, id, number, evidence) })
}

// Event implements Journal.
func (b Book) Event(ctx context.Context, id string) (topup.Event, error) {
	return through(ctx, b.Gate, Call{"journal.Event", id, nil},
		func() (topup.Event, error) { return b.Journal.Event(ctx, id) })
}

// RecordTry implements Journal.
func (b Book) RecordTry(ctx context.Context, ev topup.Event, try topup.Try, next topup.EventState,
	dueAt time.Time) error {
	return run(ctx, b.Gate, Call{"journal.RecordTry", ev.ID, next},
		func() error { return b.Journal.RecordTry(ctx, ev, try, next, dueAt) })
}

// FanOut implements Journal.
func (b Book) FanOut(ctx context.Context, ev topup.Event, endpoints []string, adopt bool,
	now time.Time) ([]topup.Event, error) {
	return through(ctx, b.Gate, Call{"journal.FanOut", ev.ID, endpoints},
		func() ([]topup.Event, error) { return b.Journal.FanOut(ctx, ev, endpoints, adopt, now) })
}

// EndpointHealth implements Journal.
func (b Book) EndpointHealth(ctx context.Context, caller, url string) (topup.EndpointHealth, error) {
	return through(ctx, b.Gate, Call{"journal.EndpointHealth", caller, nil},
		func() (topup.EndpointHealth, error) { return b.Journal.EndpointHealth(ctx, caller, url) })
}

// EndpointFailed implements Journal.
func (b Book) EndpointFailed(ctx context.Context, caller, url string, now time.Time) (time.Time, error) {
	return through(ctx, b.Gate, Call{"journal.EndpointFailed", caller, nil},
		func() (time.Time, error) { return b.Journal.EndpointFailed(ctx, caller, url, now) })
}

// EndpointHealthy implements Journal.
func (b Book) EndpointHealthy(ctx context.Context, caller, url string) error {
	return run(ctx, b.Gate, Call{"journal.EndpointHealthy", caller, nil},
		func() error { return b.Journal.EndpointHealthy(ctx, caller, url) })
}

// DisableEndpoint implements Journal.
func (b Book) DisableEndpoint(ctx context.Context, d topup.DisabledEndpoint, notify bool,
	now time.Time) (bool, *topup.Event, error) {
	done, err := through(ctx, b.Gate, Call{"journal.DisableEndpoint", d.Caller, nil},
		func() (is Disabled, err error) {
			is.Disabled, is.Event, err = b.Journal.DisableEndpoint(ctx, d, notify, now)
			return is, err
		})
	return done.Disabled, done.Event, err
}

// Controls implements Journal.
func (b Book) Controls(ctx context.Context) (desk.Controls, error) {
	return through(ctx, b.Gate, Call{"journal.Controls", "", nil},
		func() (desk.Controls, error) { return b.Journal.Controls(ctx) })
}

// SetControl implements Journal.
func (b Book) SetControl(ctx context.Context, c desk.Control) error {
	return run(ctx, b.Gate, Call{"journal.SetControl", c.String(), c},
		func() error { return b.Journal.SetControl(ctx, c) })
}

// EndControl implements Journal.
func (b Book) EndControl(ctx context.Context, kind desk.ControlKind, name string) error {
	c := desk.Control{Kind: kind, Name: topup.NullString(name)}
	return run(ctx, b.Gate, Call{"journal.EndControl", c.String(), c},
		func() error { return b.Journal.EndControl(ctx, kind, name) })
}

// RecordAct implements Journal.
func (b Book) RecordAct(ctx context.Context) error {
	return run(ctx, b.Gate, Call{"journal.RecordAct", "", nil}, func() error { return b.Journal.RecordAct(ctx) })
}

// PausedOrders implements Journal.
func (b Book) PausedOrders(ctx context.Context) ([]desk.PausedOrders, error) {
	return through(ctx, b.Gate, Call{"journal.PausedOrders", "", nil},
		func() ([]desk.PausedOrders, error) { return b.Journal.PausedOrders(ctx) })
}

// Queues are asynq's queues, as a process that can die sees them.
type Queues struct {
	Gate  Gate           // what calls pass
	Queue controls.Queue // what they come to
}

var _ controls.Queue = Queues{}

// Glance implements controls.Queue.
func (b Queues) Glance(ctx context.Context) (map[string]queue.Info, error) {
	return through(ctx, b.Gate, Call{"queue.Glance", "", nil},
		func() (map[string]queue.Info, error) { return b.Queue.Glance(ctx) })
}

// Pause implements controls.Queue.
func (b Queues) Pause(ctx context.Context, name string) error {
	return run(ctx, b.Gate, Call{"queue.Pause", name, nil}, func() error { return b.Queue.Pause(ctx, name) })
}

// Resume implements controls.Queue.
func (b Queues) Resume(ctx context.Context, name string) error {
	return run(ctx, b.Gate, Call{"queue.Resume", name, nil}, func() error { return b.Queue.Resume(ctx, name) })
}

// EnqueueOrder implements worker.Waker.
func (b Waker) EnqueueOrder(ctx context.Context, r topup.Request, at time.Time) error {
	return run(ctx, b.Gate, Call{"queue.EnqueueOrder", string(r.ID), at},
		func() error { return b.Queue.EnqueueOrder(ctx, r, at) })
}

// EnqueueEvent implements worker.Waker.
func (b Waker) EnqueueEvent(ctx context.Context, id string, at time.Time) error {
	return run(ctx, b.Gate, Call{"queue.EnqueueEvent", id, at},
		func() error { return b.Queue.EnqueueEvent(ctx, id, at) })
}

// ForceEnqueueOrder implements worker.Waker.
func (b Waker) ForceEnqueueOrder(ctx context.Context, r topup.Request) error {
	return run(ctx, b.Gate, Call{"queue.ForceEnqueueOrder", string(r.ID), nil},
		func() error { return b.Queue.ForceEnqueueOrder(ctx, r) })
}

// ForceEnqueueEvent implements worker.Waker.
func (b Waker) ForceEnqueueEvent(ctx context.Context, id string) error {
	return run(ctx, b.Gate, Call{"queue.ForceEnqueueEvent", id, nil},
		func() error { return b.Queue.ForceEnqueueEvent(ctx, id) })
}

// Announce implements worker.Waker.
func (b Waker) Announce(ctx context.Context) error {
	return run(ctx, b.Gate, Call{"queue.Announce", "", nil},
		func() error { return b.Queue.Announce(ctx) })
}

// Tokens is the shared token as a process that can die sees it.
type Tokens struct {
	Gate  Gate                   // what calls pass
	Store distributor.TokenStore // what they come to
}

var _ distributor.TokenStore = Tokens{}

// loaded is the answer of token.Load.
type loaded struct {
	token   string
	expires time.Time
}

// Load implements distributor.TokenStore.
func (s Tokens) Load(ctx context.Context) (string, time.Time, error) {
	l, err := through(ctx, s.Gate, Call{Name: "token.Load"}, func() (l loaded, err error) {
		l.token, l.expires, err = s.Store.Load(ctx)
		return l, err
	})
	return l.token, l.expires, err
}

// Save implements distributor.TokenStore.
func (s Tokens) Save(ctx context.Context, token string, expires time.Time) error {
	return run(ctx, s.Gate, Call{Name: "token.Save"}, func() error { return s.Store.Save(ctx, token, expires) })
}

// Lock implements distributor.TokenStore. It keeps the lock no longer than the process lives that has it; Redis keeps
// it for its time.
func (s Tokens) Lock(ctx context.Context) (func(), error) {
	held, die := context.WithCancel(ctx)
	unlock, err := through(ctx, s.Gate, Call{Name: "token.Lock"}, func() (func(), error) { return s.Store.Lock(held) })
	if err != nil {
		die()
		return nil, err
	}
	return func() { unlock(); die() }, nil
}
