package webhook

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"recarga/topup"
)

// Endpoint is where a caller receives events, and how it knows that they are ours.
type Endpoint struct {
	// Name is empty for the caller's callback URL.
	Name string
	// URL may be empty where the caller has no callback URL, but endpoints beside it.
	URL string
	// Types are the events that it wants; none means all.
	Types []topup.EventType
	// Secrets sign every webhook, each with a signature of its own. Newest first; more than one
	// while a secret is being replaced.
	Secrets []string
	// Headers are sent with every webhook beside Recarga's own, such as a key of a gateway; see CheckHeaders.
	Headers map[string]string
}

// Endpoints has the endpoints of the callers.
type Endpoints interface {
	// Endpoints must be quick: the first try of an event waits for it. topup.ErrNotFound: there is
	// no such caller, or it is disabled, and its events are exhausted. An endpoint without a name and a URL: the caller
	// has no callback URL, and what no other endpoint wants is kept for the feed.
	Endpoints(ctx context.Context, caller string) ([]Endpoint, error)
}

// Store keeps events and their tries.
type Store interface {
	// Event is one event, or topup.ErrNotFound.
	Event(ctx context.Context, id string) (topup.Event, error)
	// RecordTry adds a try and sets what follows from it, if the event is still pending, has as many tries as ev says
	// and is for the same endpoint. Otherwise it must do nothing and return topup.ErrLost. dueAt counts for
	// topup.EventPending only.
	RecordTry(ctx context.Context, ev topup.Event, try topup.Try, next topup.EventState, dueAt time.Time) error
	// FanOut copies a new event for the endpoints that have no copy yet, and returns the copies; with adopt, the event
	// itself becomes the first endpoint's, unless that has a copy already.
	FanOut(ctx context.Context, ev topup.Event, endpoints []string, adopt bool, now time.Time) ([]topup.Event, error)
}

// Config is how a Deliverer works.
type Config struct {
	// Schedule are the waits between tries, each varied by a tenth; there is one try more than waits.
	// Defaults to DefaultSchedule; an empty one that is not nil means a single try.
	Schedule []time.Duration
	// Timeout of one try, all in all. Defaults to 15s.
	Timeout time.Duration
	// AllowPrivate permits http:// and targets that are not on the public internet.
	AllowPrivate bool
	// PerEndpoint bounds the first tries under way to one endpoint. Defaults to 64.
	PerEndpoint int
	// FirstTries bounds the first tries under way to all endpoints. Defaults to 256.
	FirstTries int
	// Rate bounds the tries a second to one endpoint, of this process; 0 means no bound.
	Rate float64
	// DisableAfter is how long an endpoint may fail before nothing is sent to it any more. Defaults to
	// five days.
	DisableAfter time.Duration
	// Health keeps which endpoints fail; nil: none is ever disabled.
	Health Health
	// Deliveries is how many calls of Deliver run at once: one endpoint takes at most half of them. Defaults to 64.
	Deliveries int
	// Proxy is an http or https proxy through which all connections are made; nil: there is none.
	Proxy *url.URL
	// RootCAs are who may sign certificates; nil: those that the system trusts.
	RootCAs *x509.CertPool
	// Dial makes the connections. Defaults to those of Dialer; a simulation has a network of its own.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Random is a number from 0 up to 1 that varies a wait. Defaults to one by chance.
	Random func() float64
	// Observe is called for each try that was recorded; it must not block. Nil: nothing is.
	Observe func(Tried)
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// TryOutcome is what one try came to.
type TryOutcome string

// The outcomes of a try.
const (
	TryDelivered TryOutcome = "delivered"
	// TryFailed will be followed by another try.
	TryFailed TryOutcome = "failed"
	// TryExhausted was the last of the schedule.
	TryExhausted TryOutcome = "exhausted"
	// TryProxy: the egress proxy failed, and nothing reached the endpoint.
	TryProxy TryOutcome = "proxy"
	// TryRefused: nothing was sent, because there is nowhere to send to, or nowhere that may be used.
	TryRefused TryOutcome = "refused"
	// TryKept: nothing was sent, because the caller has no URL and reads the feed.
	TryKept TryOutcome = "kept"
)

// Tried is a try that was recorded.
type Tried struct {
	// Outcome is what the try came to.
	Outcome TryOutcome
	// Took is the time from the request to the answer.
	Took time.Duration
}

func tried(a answer, state topup.EventState) Tried {
	t := Tried{Outcome: TryFailed, Took: a.took}
	switch {
	case a.kept():
		t.Outcome = TryKept
	case a.unsent(), errors.Is(a.err, ErrNotPublic), errors.Is(a.err, errNotHTTPS):
		t.Outcome = TryRefused
	case a.ofProxy():
		t.Outcome = TryProxy
	case state == topup.EventDelivered:
		t.Outcome = TryDelivered
	case state == topup.EventExhausted:
		t.Outcome = TryExhausted
	}
	return t
}

func (c Config) withDefaults() Config {
	if c.Schedule == nil {
		c.Schedule = DefaultSchedule()
	}
	c.Timeout, c.DisableAfter = cmp.Or(c.Timeout, 15*time.Second), cmp.Or(c.DisableAfter, 5*24*time.Hour)
	c.PerEndpoint, c.FirstTries = cmp.Or(c.PerEndpoint, 64), cmp.Or(c.FirstTries, 256)
	c.Deliveries = cmp.Or(c.Deliveries, 64)
	if c.Dial == nil {
		c.Dial = c.Dialer().DialContext
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Observe == nil {
		c.Observe = func(Tried) {}
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

const (
	// lookupTimeout bounds what a first try waits for its endpoint's address.
	lookupTimeout = 2 * time.Second
	// recordTimeout bounds the record of a try. It begins after the try, whatever has become of the
	// context by then: a try that is not recorded is made again.
	recordTimeout = 15 * time.Second
	// unrecordedWait is when a first try that the store did not take is made again.
	unrecordedWait = 10 * time.Second
	// minPatience and maxPatience bound how long an event waits for a busy endpoint; see patience.
	minPatience = time.Second
	maxPatience = 5 * time.Minute
)

// Deliverer sends events to their callers. It is safe for concurrent use.
type Deliverer struct {
	cfg       Config
	store     Store
	endpoints Endpoints
	client    *http.Client
	// first and queued are apart, so that a backlog in the queue never delays what is new.
	first, queued *slots
	rates         *rates
	health        *healthBook
	tracer        trace.Tracer
	// working ends when tries are to be cut short.
	working context.Context
	cut     context.CancelFunc
}

// NewDeliverer makes a Deliverer. Close it when nothing calls it any more.
func NewDeliverer(cfg Config, store Store, endpoints Endpoints) *Deliverer {
	cfg = cfg.withDefaults()
	working, cut := context.WithCancel(context.Background())
	return &Deliverer{
		cfg: cfg, store: store, endpoints: endpoints, client: newClient(cfg),
		first: newSlots(cfg.FirstTries, cfg.PerEndpoint), queued: newSlots(cfg.Deliveries, cfg.Deliveries),
		rates: newRates(cfg.Rate), health: newHealthBook(cfg.Health),
		tracer: otel.Tracer("recarga/webhook"), working: working, cut: cut,
	}
}

// Close waits for the tries under way. When ctx ends they are cut short, and recorded as failed.
func (d *Deliverer) Close(ctx context.Context) {
	stop := context.AfterFunc(ctx, d.cut)
	d.first.close()
	d.queued.close()
	stop()
	d.cut()
	d.client.CloseIdleConnections()
}

// Deliver makes one try of an event that is pending and due, and records it. next is when to call it
// again; zero means never: the event is delivered or exhausted, or somebody else tries it.
//
// An error means that what happened is not recorded; the event is tried again, so call again. A try
// that has begun does not end with ctx but by its own timeout.
func (d *Deliverer) Deliver(ctx context.Context, eventID string) (next time.Time, err error) {
	ev, err := d.event(ctx, eventID)
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	if ev.State != topup.EventPending {
		return time.Time{}, nil
	}
	if !due(ev, now) {
		return ev.DueAt, nil
	}
	ev, copies, all, err := d.deliveries(ctx, ev)
	if err != nil {
		return time.Time{}, fmt.Errorf("deliver %s: %w", eventID, err)
	}
	for _, c := range copies {
		d.startFirst(ctx, c, all, leaveToSweep)
	}
	to, err := d.target(ctx, ev, all)
	if err != nil {
		return time.Time{}, fmt.Errorf("deliver %s: %w", eventID, err)
	}
	if !d.room(d.queued, to) {
		return now.Add(d.jitter(patience(ev, now))), nil
	}
	defer d.queued.free(to.origin)
	return d.try(ctx, ev, to)
}

// event is an event as it is kept; of one that is not there, none that is pending.
func (d *Deliverer) event(ctx context.Context, eventID string) (topup.Event, error) {
	ev, err := d.store.Event(ctx, eventID)
	if errors.Is(err, topup.ErrNotFound) {
		d.cfg.Log.WarnContext(ctx, "webhook of an unknown event dropped", "event", eventID)
		return topup.Event{}, nil
	}
	if err != nil {
		return topup.Event{}, fmt.Errorf("deliver %s: %w", eventID, err)
	}
	return ev, nil
}

// due reports whether an event may be tried. Its very first try may be made before its time: until then it is left to
// whoever made the event, and if that one calls Deliver, there was no room for a try.
func due(ev topup.Event, now time.Time) bool { return ev.TryCount == 0 || !now.Before(ev.DueAt) }

// patience is how long an event waits for a slot of its endpoint: as long again as it has waited, so
// that a backlog for a dead endpoint asks ever more rarely instead of keeping the queue busy.
func patience(ev topup.Event, now time.Time) time.Duration {
	return min(max(now.Sub(ev.DueAt), minPatience), maxPatience)
}

// DeliverNow makes the first try of a new event at once, beside the caller, and those of the copies that the event
// gets for further endpoints. It returns false when there is no room for the event's own (see slots), or it is not
// known where to send it: somebody must call Deliver then. For each event whose try fails, and for a copy that gets
// no try, notDelivered is called with the time at which somebody must.
func (d *Deliverer) DeliverNow(ctx context.Context, ev topup.Event, notDelivered NotDelivered) bool {
	ctx = within(d.working, ctx)
	expanding, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	own, copies, all, err := d.deliveries(expanding, ev)
	if err != nil {
		d.logDeferred(ctx, ev, err)
		return false
	}
	for _, c := range copies {
		if !d.startFirst(ctx, c, all, notDelivered) {
			notDelivered(c, time.Time{})
		}
	}
	return d.startFirst(ctx, own, all, notDelivered)
}

// NotDelivered is called for an event that somebody must call Deliver for, at a time; zero: at once.
type NotDelivered = func(ev topup.Event, next time.Time)

// startFirst starts an event's first try; false: there is no room for it, or it is not known where to send it.
func (d *Deliverer) startFirst(ctx context.Context, ev topup.Event, all []Endpoint, notDelivered NotDelivered) bool {
	ctx = within(d.working, ctx)
	reading, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	to, err := d.target(reading, ev, all)
	if err != nil {
		d.logDeferred(ctx, ev, err)
		return false
	}
	if !d.room(d.first, to) {
		return false
	}
	go func() {
		defer d.first.free(to.origin) // last: Close also waits for notDelivered
		next, err := d.try(ctx, ev, to)
		if err != nil {
			d.cfg.Log.ErrorContext(ctx, "webhook try not recorded", "event", ev.ID, "caller", ev.Caller, "error", err)
			next = time.Now().Add(unrecordedWait)
		}
		if !next.IsZero() {
			notDelivered(ev, next)
		}
	}()
	return true
}

func (d *Deliverer) logDeferred(ctx context.Context, ev topup.Event, err error) {
	d.cfg.Log.WarnContext(ctx, "webhook deferred", "event", ev.ID, "caller", ev.Caller, "error", err)
}

// room takes a slot for a try, if the endpoint's rate allows one.
func (d *Deliverer) room(s *slots, to target) bool {
	if !s.take(to.origin) {
		return false
	}
	if !d.rates.allow(to.origin) {
		s.free(to.origin)
		return false
	}
	return true
}

// leaveToSweep is for events that the caller need not enqueue; the sweep enqueues all that are late.
func leaveToSweep(topup.Event, time.Time) {}

// try makes one try and records it. If somebody else recorded a try first, that is no error: what follows is theirs.
func (d *Deliverer) try(ctx context.Context, ev topup.Event, to target) (next time.Time, err error) {
	ctx, span := d.startTry(within(d.working, ctx), ev, to)
	at := time.Now().UTC()
	a := d.send(ctx, ev, to, at)
	state, next := d.after(ev, a, time.Now().UTC())
	endTry(span, a, state)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err = d.store.RecordTry(ctx, ev, a.record(at), state, next)
	if errors.Is(err, topup.ErrLost) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("record try %d: %w", ev.TryCount+1, err)
	}
	d.cfg.Observe(tried(a, state))
	d.log(ctx, ev, to, a, state, next)
	d.review(ctx, to, a)
	return next, nil
}

// record is the answer as it is kept.
func (a answer) record(at time.Time) topup.Try {
	try := topup.Try{At: at, Error: a.errorText(), DurationMS: a.took.Milliseconds(), Response: a.response}
	if a.status != 0 {
		try.Status = &a.status
	}
	return try
}

func (d *Deliverer) log(
	ctx context.Context, ev topup.Event, to target, a answer, state topup.EventState, next time.Time,
) {
	attrs := []slog.Attr{
		slog.String("event", ev.ID), slog.String("order", string(ev.OrderID)), slog.String("caller", ev.Caller),
		slog.String("endpoint", to.origin), slog.Int("try", ev.TryCount+1), slog.Int("status", a.status),
		slog.Int64("duration_ms", a.took.Milliseconds()), slog.String("error", string(a.errorText())),
	}
	log := d.cfg.Log
	switch state {
	case topup.EventDelivered:
		log.LogAttrs(ctx, slog.LevelInfo, "webhook delivered", attrs...)
	case topup.EventKept:
		log.LogAttrs(ctx, slog.LevelInfo, "event kept for the feed", attrs...)
	case topup.EventExhausted:
		log.LogAttrs(ctx, slog.LevelWarn, "webhook exhausted", attrs...)
	default:
		log.LogAttrs(ctx, slog.LevelWarn, "webhook not delivered", append(attrs, slog.Time("next", next))...)
	}
}
