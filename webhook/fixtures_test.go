package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"recarga/topup"
	"recarga/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should happen at once.
const patience = 10 * time.Second

// book keeps events in memory, by the rules of webhook.Store.
type book struct {
	mu     sync.Mutex
	events map[string]topup.Event
	down   error
}

func newBook(events ...topup.Event) *book {
	b := &book{events: map[string]topup.Event{}}
	for _, ev := range events {
		b.events[ev.ID] = ev
	}
	return b
}

func (b *book) Event(_ context.Context, id string) (topup.Event, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ev, ok := b.events[id]
	if !ok {
		return ev, topup.ErrNotFound
	}
	return ev, nil
}

func (b *book) RecordTry(ctx context.Context, ev topup.Event, try topup.Try, next topup.EventState,
	dueAt time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := errors.Join(b.down, ctx.Err()); err != nil {
		return err
	}
	kept := b.events[ev.ID]
	if kept.State != topup.EventPending || kept.TryCount != ev.TryCount {
		return fmt.Errorf("event %s: %w", ev.ID, topup.ErrLost)
	}
	kept.State, kept.DueAt = next, dueAt
	kept.TryCount++
	kept.Tries = append(slices.Clone(kept.Tries), try)
	b.events[ev.ID] = kept
	return nil
}

// change edits an event behind the Deliverer's back.
func (b *book) change(id string, edit func(*topup.Event)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ev := b.events[id]
	edit(&ev)
	b.events[id] = ev
}

// get is an event and its last try.
func (b *book) get(t *testing.T, id string) (topup.Event, topup.Try) {
	t.Helper()
	ev, err := b.Event(t.Context(), id)
	if err != nil || len(ev.Tries) == 0 {
		t.Fatalf("event %s has no try (%v)", id, err)
	}
	return ev, ev.Tries[len(ev.Tries)-1]
}

func (b *book) FanOut(context.Context, topup.Event, []string, bool, time.Time) ([]topup.Event, error) {
	return nil, errors.New("the book has one endpoint a caller")
}

// phoneBook is the callers' endpoints by name.
type phoneBook map[string]webhook.Endpoint

func (p phoneBook) Endpoints(_ context.Context, caller string) ([]webhook.Endpoint, error) {
	e, ok := p[caller]
	if !ok {
		return nil, topup.ErrNotFound
	}
	return []webhook.Endpoint{e}, nil
}

// at is a phoneBook in which the caller "shop" receives events at a URL.
func at(url string, secrets ...string) phoneBook {
	return phoneBook{"shop": {URL: url, Secrets: secrets}}
}

// news is a new event of a succeeded order of the caller "shop".
func news(t testing.TB, id string) topup.Event {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	balance := json.Number("990.00")
	ev, err := topup.NewEvent(id, topup.EventTypeOf(topup.StateSucceeded), topup.Order{
		ID: "ORD-1", Caller: "shop", State: topup.StateSucceeded, Phone: "5537686660", Product: "MOVISTAR_TAE",
		Amount: topup.Pesos(10), Currency: topup.Currency, AttemptCount: 1, ResponseCode: topup.CodeApproved,
		TransactionID: "TXN-1", BalanceAfter: &balance, CreatedAt: now, UpdatedAt: now, FinishedAt: &now,
	}, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	ev.DueAt = now.Add(30 * time.Second) // as the journal does: until then it belongs to who made it
	return ev
}

// deliverer closes with the test. Its targets may be private.
func deliverer(t *testing.T, cfg webhook.Config, store webhook.Store, endpoints webhook.Endpoints) *webhook.Deliverer {
	t.Helper()
	cfg.AllowPrivate = true
	return strictDeliverer(t, cfg, store, endpoints)
}

func strictDeliverer(t *testing.T, cfg webhook.Config, store webhook.Store,
	endpoints webhook.Endpoints) *webhook.Deliverer {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := webhook.NewDeliverer(cfg, store, endpoints)
	t.Cleanup(func() { d.Close(context.Background()) })
	return d
}

// deliver makes one try.
func deliver(t *testing.T, d *webhook.Deliverer, id string) time.Time {
	t.Helper()
	next, err := d.Deliver(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// request is what a receiver got.
type request struct {
	*http.Request
	body []byte
}

// receiver is a real endpoint. It keeps what it gets, and answers with what answer writes.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []request
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.got = append(r.got, request{req, body})
		r.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) requests() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// status answers with one status and these headers (name, value, …).
func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for pair := range slices.Chunk(header, 2) {
			w.Header().Set(pair[0], pair[1])
		}
		w.WriteHeader(code)
	}
}

// hang answers nothing until the sender goes away.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// lockedBuffer keeps what several write.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
