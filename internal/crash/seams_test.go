package crash

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"time"

	"recarga/distributor"
	"recarga/internal/journal"
	"recarga/internal/queue"
	"recarga/internal/wake"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
	"recarga/worker"
)

// book is the journal as a process that can die sees it. It embeds nothing: a step that is new to the
// workflows does not compile until it is a boundary here.
type book struct {
	g *gate
	j *journal.Journal
}

var (
	_ worker.Journal   = book{}
	_ producer.Journal = book{}
	_ webhook.Store    = book{}
	_ webhook.Health   = book{}
)

type accepted struct {
	o        topup.Order
	replayed bool
}

type changed struct {
	o  topup.Order
	ev *topup.Event
}

func (b book) change(name string,
	effect func() (topup.Order, *topup.Event, error)) (topup.Order, *topup.Event, error) {
	c, err := through(b.g, name, func() (c changed, err error) {
		c.o, c.ev, err = effect()
		return c, err
	})
	return c.o, c.ev, err
}

func (b book) Order(ctx context.Context, id topup.ID) (topup.Order, error) {
	return through(b.g, "journal.Order", func() (topup.Order, error) { return b.j.Order(ctx, id) })
}

func (b book) Details(ctx context.Context, id topup.ID) (topup.Details, error) {
	return through(b.g, "journal.Details", func() (topup.Details, error) { return b.j.Details(ctx, id) })
}

func (b book) Accept(ctx context.Context, r topup.Request, now time.Time) (topup.Order, bool, error) {
	a, err := through(b.g, "journal.Accept", func() (a accepted, err error) {
		a.o, a.replayed, err = b.j.Accept(ctx, r, now)
		return a, err
	})
	return a.o, a.replayed, err
}

func (b book) AcceptInvalid(ctx context.Context, o topup.Order, why string, now time.Time) (*topup.Event, error) {
	return through(b.g, "journal.AcceptInvalid",
		func() (*topup.Event, error) { return b.j.AcceptInvalid(ctx, o, why, now) })
}

func (b book) BeginFirst(ctx context.Context, id topup.ID, worker string, deadline,
	now time.Time) (topup.Order, error) {
	return through(b.g, "journal.BeginFirst",
		func() (topup.Order, error) { return b.j.BeginFirst(ctx, id, worker, deadline, now) })
}

func (b book) Begin(ctx context.Context, id topup.ID, attempts int, worker string, deadline,
	now time.Time) (topup.Order, error) {
	return through(b.g, "journal.Begin",
		func() (topup.Order, error) { return b.j.Begin(ctx, id, attempts, worker, deadline, now) })
}

func (b book) Finish(ctx context.Context, s topup.Settlement, now time.Time) (topup.Order, *topup.Event, error) {
	return b.change("journal.Finish", func() (topup.Order, *topup.Event, error) { return b.j.Finish(ctx, s, now) })
}

func (b book) End(ctx context.Context, id topup.ID, now time.Time) (topup.Order, *topup.Event, error) {
	return b.change("journal.End", func() (topup.Order, *topup.Event, error) { return b.j.End(ctx, id, now) })
}

func (b book) Cancel(ctx context.Context, id topup.ID, caller string,
	now time.Time) (topup.Order, *topup.Event, error) {
	return b.change("journal.Cancel",
		func() (topup.Order, *topup.Event, error) { return b.j.Cancel(ctx, id, caller, now) })
}

func (b book) Resolve(ctx context.Context, id topup.ID, r topup.Resolution,
	now time.Time) (topup.Order, *topup.Event, error) {
	return b.change("journal.Resolve", func() (topup.Order, *topup.Event, error) { return b.j.Resolve(ctx, id, r, now) })
}

func (b book) Hold(ctx context.Context, id topup.ID, h topup.Hold, now time.Time) (topup.Order, *topup.Event, error) {
	return b.change("journal.Hold", func() (topup.Order, *topup.Event, error) { return b.j.Hold(ctx, id, h, now) })
}

func (b book) Correct(ctx context.Context, id topup.ID, c topup.Correction,
	now time.Time) (topup.Order, *topup.Event, error) {
	return b.change("journal.Correct", func() (topup.Order, *topup.Event, error) { return b.j.Correct(ctx, id, c, now) })
}

func (b book) Uphold(ctx context.Context, id topup.ID, u topup.Upholding, now time.Time) (topup.Order, error) {
	return through(b.g, "journal.Uphold", func() (topup.Order, error) { return b.j.Uphold(ctx, id, u, now) })
}

func (b book) Dispute(ctx context.Context, id topup.ID, d topup.Dispute, now time.Time) (topup.Order, error) {
	return through(b.g, "journal.Dispute", func() (topup.Order, error) { return b.j.Dispute(ctx, id, d, now) })
}

func (b book) RedeliverWithin(ctx context.Context, ev topup.Event, most int, now time.Time) error {
	return run(b.g, "journal.RedeliverWithin", func() error { return b.j.RedeliverWithin(ctx, ev, most, now) })
}

func (b book) RedeliverAll(
	ctx context.Context, f topup.EventFilter, now time.Time, each func(topup.Event),
) (count int, next string, err error) {
	count, err = through(b.g, "journal.RedeliverAll", func() (n int, err error) {
		n, next, err = b.j.RedeliverAll(ctx, f, now, each)
		return n, err
	})
	return count, next, err
}

func (b book) Due(ctx context.Context, now time.Time, after topup.Due, limit int) ([]topup.Due, error) {
	return through(b.g, "journal.Due", func() ([]topup.Due, error) { return b.j.Due(ctx, now, after, limit) })
}

func (b book) Overdue(ctx context.Context, now time.Time, limit int) ([]topup.Due, error) {
	return through(b.g, "journal.Overdue", func() ([]topup.Due, error) { return b.j.Overdue(ctx, now, limit) })
}

func (b book) DueEvents(ctx context.Context, now time.Time, after topup.DueEvent,
	limit int) ([]topup.DueEvent, error) {
	return through(b.g, "journal.DueEvents",
		func() ([]topup.DueEvent, error) { return b.j.DueEvents(ctx, now, after, limit) })
}

func (b book) Defer(ctx context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error {
	return run(b.g, "journal.Defer", func() error { return b.j.Defer(ctx, id, attempts, why, now) })
}

func (b book) Waiting(ctx context.Context, each int) ([]topup.Waiting, error) {
	return through(b.g, "journal.Waiting", func() ([]topup.Waiting, error) { return b.j.Waiting(ctx, each) })
}

func (b book) Released(ctx context.Context) (int, error) {
	return through(b.g, "journal.Released", func() (int, error) { return b.j.Released(ctx) })
}

func (b book) Release(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return through(b.g, "journal.Release", func() (topup.Order, error) { return b.j.Release(ctx, id, now) })
}

func (b book) Around(ctx context.Context, id topup.ID, number int, now time.Time) (topup.Surroundings, error) {
	return through(b.g, "journal.Around", func() (topup.Surroundings, error) { return b.j.Around(ctx, id, number, now) })
}

func (b book) AddEvidence(ctx context.Context, id topup.ID, number int, evidence string) error {
	return run(b.g, "journal.AddEvidence", func() error { return b.j.AddEvidence(ctx, id, number, evidence) })
}

func (b book) Event(ctx context.Context, id string) (topup.Event, error) {
	return through(b.g, "journal.Event", func() (topup.Event, error) { return b.j.Event(ctx, id) })
}

func (b book) RecordTry(ctx context.Context, ev topup.Event, try topup.Try, next topup.EventState,
	dueAt time.Time) error {
	return run(b.g, "journal.RecordTry", func() error { return b.j.RecordTry(ctx, ev, try, next, dueAt) })
}

func (b book) FanOut(ctx context.Context, ev topup.Event, endpoints []string, adopt bool,
	now time.Time) ([]topup.Event, error) {
	return through(b.g, "journal.FanOut",
		func() ([]topup.Event, error) { return b.j.FanOut(ctx, ev, endpoints, adopt, now) })
}

func (b book) EndpointHealth(ctx context.Context, caller, url string) (topup.EndpointHealth, error) {
	return through(b.g, "journal.EndpointHealth",
		func() (topup.EndpointHealth, error) { return b.j.EndpointHealth(ctx, caller, url) })
}

func (b book) EndpointFailed(ctx context.Context, caller, url string, now time.Time) (time.Time, error) {
	return through(b.g, "journal.EndpointFailed",
		func() (time.Time, error) { return b.j.EndpointFailed(ctx, caller, url, now) })
}

func (b book) EndpointHealthy(ctx context.Context, caller, url string) error {
	return run(b.g, "journal.EndpointHealthy", func() error { return b.j.EndpointHealthy(ctx, caller, url) })
}

type disabled struct {
	first bool
	ev    *topup.Event
}

func (b book) DisableEndpoint(ctx context.Context, d topup.DisabledEndpoint, notify bool,
	now time.Time) (bool, *topup.Event, error) {
	done, err := through(b.g, "journal.DisableEndpoint", func() (is disabled, err error) {
		is.first, is.ev, err = b.j.DisableEndpoint(ctx, d, notify, now)
		return is, err
	})
	return done.first, done.ev, err
}

// waker is the queue as a process that can die sees it.
type waker struct {
	g *gate
	q *queue.Queue
}

var (
	_ worker.Waker = waker{}
	_ wake.Queue   = waker{}
)

func (b waker) EnqueueOrder(ctx context.Context, r topup.Request, at time.Time) error {
	return run(b.g, "queue.EnqueueOrder", func() error { return b.q.EnqueueOrder(ctx, r, at) })
}

func (b waker) EnqueueEvent(ctx context.Context, id string, at time.Time) error {
	return run(b.g, "queue.EnqueueEvent", func() error { return b.q.EnqueueEvent(ctx, id, at) })
}

func (b waker) ForceEnqueueOrder(ctx context.Context, r topup.Request) error {
	return run(b.g, "queue.ForceEnqueueOrder", func() error { return b.q.ForceEnqueueOrder(ctx, r) })
}

func (b waker) ForceEnqueueEvent(ctx context.Context, id string) error {
	return run(b.g, "queue.ForceEnqueueEvent", func() error { return b.q.ForceEnqueueEvent(ctx, id) })
}

func (b waker) Announce(ctx context.Context) error {
	return run(b.g, "queue.Announce", func() error { return b.q.Announce(ctx) })
}

// shared is the token in Redis.
type shared struct {
	g     *gate
	store distributor.TokenStore
}

type loaded struct {
	token   string
	expires time.Time
}

func (s shared) Load(ctx context.Context) (string, time.Time, error) {
	l, err := through(s.g, "token.Load", func() (l loaded, err error) {
		l.token, l.expires, err = s.store.Load(ctx)
		return l, err
	})
	return l.token, l.expires, err
}

func (s shared) Save(ctx context.Context, token string, expires time.Time) error {
	return run(s.g, "token.Save", func() error { return s.store.Save(ctx, token, expires) })
}

// Lock keeps the lock no longer than the process lives that has it; Redis keeps it for its time.
func (s shared) Lock(ctx context.Context) (func(), error) {
	held, die := context.WithCancel(ctx)
	unlock, err := through(s.g, "token.Lock", func() (func(), error) { return s.store.Lock(held) })
	if err != nil {
		die()
		return nil, err
	}
	return func() { unlock(); die() }, nil
}

// edge is another server as a process that can die reaches it: before is the moment in which the
// request has arrived whole and is not looked at yet, after is that in which the answer is ready.
func edge(g *gate, name string, inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what, err := g.enter(name + " " + r.Method + " " + path.Base(r.URL.Path))
		body, readErr := io.ReadAll(r.Body)
		if err != nil || readErr != nil || what == failed {
			panic(http.ErrAbortHandler)
		}
		if what == diesBefore {
			g.die()
			panic(http.ErrAbortHandler)
		}
		answer := serve(inner, r, body)
		if what == diesAfter {
			g.die()
		}
		if what == lost || g.isDead() {
			panic(http.ErrAbortHandler)
		}
		copyAnswer(w, answer, what == torn)
	})
}

// serve lets the other server finish, whatever becomes of the process that asked.
func serve(inner http.Handler, r *http.Request, body []byte) *httptest.ResponseRecorder {
	again := r.Clone(context.WithoutCancel(r.Context()))
	again.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	inner.ServeHTTP(answer, again)
	return answer
}

func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder, half bool) {
	body := answer.Body.Bytes()
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	if half {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}
