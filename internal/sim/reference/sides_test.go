package reference_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"recarga/internal/callers"
	"recarga/internal/controls"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/journal/search"
	"recarga/internal/sim/reference"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
	"recarga/webhook"
	"recarga/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is everything that is compared.
type book interface {
	worker.Journal
	producer.Journal
	webhook.Store
	webhook.Health
	callers.Store
	callers.Book
	Dispute(ctx context.Context, id topup.ID, d topup.Dispute, now time.Time) (topup.Order, error)
	OldestUnknown(ctx context.Context) (time.Time, error)
	controls.Book
}

var (
	_ book = (*reference.Journal)(nil)
	_ book = (*journal.Journal)(nil)
)

// How long the orders of the stories wait. The limits are short beside the jumps of the stories' clock.
const (
	untried = 48 * time.Hour
	tried   = 24 * time.Hour
	grace   = 30 * time.Second
)

// side is one of the books that are compared, as far as the steps of a story need to know it.
type side struct {
	book
	// all are its orders with everything, in any order.
	all func(testing.TB) []topup.Details
	// anyPlace: calls are made at once, so that it is by chance which order was accepted first.
	anyPlace bool
	// version changes with everything that is written; nil: nobody knows.
	version func(testing.TB) int
	// last is the latest snapshot, of the version seen.
	last *snapshot
	seen int
	// clear makes it as empty as it was; nil: it is used once.
	clear func(testing.TB)
	// events has every event by its name, as the last snapshot had it.
	events map[string]topup.Event
	// operators are the ids of the operator's events, by the names that they had first.
	operators map[string]string
	mu        sync.Mutex // guards operators
}

func newSide(b book) *side {
	return &side{book: b, events: map[string]topup.Event{}, operators: map[string]string{}}
}

// inMemory is the reference, with nothing in it.
func inMemory() *side {
	j := reference.New(reference.Config{Untried: untried, Tried: tried, Grace: grace, Catalog: topup.DefaultCatalog()})
	return withEach(newSide(j))
}

// withEach has a side's orders read one by one.
func withEach(s *side) *side {
	s.all = func(testing.TB) (all []topup.Details) {
		for _, id := range ids {
			if d, err := s.Details(context.Background(), id); err == nil {
				all = append(all, d)
			}
		}
		return all
	}
	return s
}

func sqlite(tb testing.TB) *side {
	tb.Helper()
	url := journaltest.SQLite(tb)
	s, db := database(tb, url, "sqlite", strings.TrimPrefix(url, "sqlite:")+"?_pragma=busy_timeout(10000)")
	conn, err := db.Conn(tb.Context())
	must(tb, err)
	tb.Cleanup(func() { must(tb, conn.Close()) })
	s.version = func(tb testing.TB) (n int) {
		must(tb, conn.QueryRowContext(tb.Context(), "PRAGMA data_version").Scan(&n))
		return n
	}
	return s
}

func postgres(tb testing.TB) *side {
	tb.Helper()
	url := journaltest.Postgres(tb).URL()
	s, _ := database(tb, url, "pgx", url)
	return s
}

func database(tb testing.TB, url, driver, dsn string) (*side, *sql.DB) {
	tb.Helper()
	j, err := journal.Open(tb.Context(), url, journal.WithTimeLimits(journal.TimeLimits{Untried: untried, Tried: tried}),
		journal.WithFirstTryGrace(grace), journal.WithCatalog(topup.DefaultCatalog()))
	must(tb, err)
	tb.Cleanup(func() { must(tb, j.Close()) })
	db, err := sql.Open(driver, dsn)
	must(tb, err)
	tb.Cleanup(func() { must(tb, db.Close()) })
	s := newSide(j)
	s.all = func(tb testing.TB) (all []topup.Details) {
		for d, err := range j.Export(tb.Context(), search.Filter{}, search.Parts{Attempts: true, Events: true}) {
			must(tb, err)
			all = append(all, d)
		}
		return all
	}
	s.clear = func(tb testing.TB) {
		for _, table := range strings.Fields("orders attempts events resolutions corrections disputes callers " +
			"failing_endpoints redeliveries controls") {
			_, err := db.Exec("DELETE FROM " + table)
			must(tb, err)
		}
		clear(s.events)
		clear(s.operators)
	}
	return s, db
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// snapshot is all that a book shows, with names in the place of the events' ids.
type snapshot struct {
	Orders       []topup.Details
	Due, Overdue []topup.Due
	DueEvents    []topup.DueEvent
	// Events are the names in the order of the ids.
	Events    []string
	Operator  []topup.Event
	Waiting   []topup.Waiting
	Released  int
	Open      map[string]int
	Oldest    time.Time
	Callers   []topup.Caller
	Endpoints []topup.EndpointHealth
	Controls  desk.Controls
	Paused    []desk.PausedOrders
}

// endless is later than all that a story makes due.
var endless = noon.Add(10 * 365 * 24 * time.Hour)

// snapshot reads everything, unless nothing was written since the last one.
func (s *side) snapshot(tb testing.TB) snapshot {
	tb.Helper()
	if s.version == nil {
		return s.read(tb)
	}
	if version := s.version(tb); s.last == nil || s.seen != version {
		s.last, s.seen = new(s.read(tb)), version
	}
	return *s.last
}

func (s *side) read(tb testing.TB) (now snapshot) {
	tb.Helper()
	ctx, err := tb.Context(), error(nil)
	check := func(e error) { err = errors.Join(err, e) }
	now.Orders = s.all(tb)
	slices.SortFunc(now.Orders, func(a, b topup.Details) int { return cmp.Compare(a.ID, b.ID) })
	for _, id := range slices.Sorted(maps.Values(s.operators)) {
		ev, e := s.Event(ctx, id)
		check(e)
		now.Operator = append(now.Operator, ev)
	}
	names := s.learn(&now)
	now.Due, err = s.Due(ctx, endless, topup.Due{}, 1000)
	check(err)
	now.Overdue, err = s.Overdue(ctx, endless, 1000)
	check(err)
	now.DueEvents, err = s.DueEvents(ctx, endless, topup.DueEvent{}, 1000)
	check(err)
	for i, ev := range now.DueEvents {
		now.DueEvents[i].ID = names[ev.ID]
	}
	now.Waiting, err = s.Waiting(ctx, 1000)
	check(err)
	placed(now.Waiting)
	if s.anyPlace {
		slices.SortFunc(now.Waiting, func(a, b topup.Waiting) int { return cmp.Compare(a.ID, b.ID) })
		for i := range now.Waiting {
			now.Waiting[i].Place = 0
		}
	}
	now.Released, err = s.Released(ctx)
	check(err)
	now.Open, err = s.OpenByCaller(ctx)
	check(err)
	now.Oldest, err = s.OldestUnknown(ctx)
	check(err)
	now.Callers, err = s.Callers(ctx)
	check(err)
	for _, url := range urls {
		h, e := s.EndpointHealth(ctx, "shop", url)
		check(e)
		now.Endpoints = append(now.Endpoints, h)
	}
	now.Controls, err = s.Controls(ctx)
	check(err)
	now.Paused, err = s.PausedOrders(ctx)
	check(err)
	now.Controls, now.Paused = noneIsNil(now.Controls), noneIsNil(now.Paused)
	must(tb, err)
	return now
}

// toOperator remembers an event that is found beside no order.
func (s *side) toOperator(ev topup.Event) {
	if ev.OrderID == "" {
		s.mu.Lock()
		s.operators[name(ev)] = ev.ID
		s.mu.Unlock()
	}
}

// learn names the events of a snapshot, and remembers them by their names.
func (s *side) learn(now *snapshot) (names map[string]string) {
	clear(s.events)
	names = map[string]string{}
	rename := func(events []topup.Event) {
		for i := range events {
			ev := &events[i]
			s.events[name(*ev)] = *ev
			names[ev.ID] = name(*ev)
			ev.ID = name(*ev)
		}
	}
	for i := range now.Orders {
		d := &now.Orders[i]
		rename(d.Events)
		d.Resolutions, d.Corrections, d.Disputes = noneIsNil(d.Resolutions), noneIsNil(d.Corrections), noneIsNil(d.Disputes)
	}
	rename(now.Operator)
	for _, id := range slices.Sorted(maps.Keys(names)) {
		now.Events = append(now.Events, names[id])
	}
	return names
}

func noneIsNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// placed has the places of orders that wait count from 0.
func placed(list []topup.Waiting) {
	var places []int64
	for _, o := range list {
		places = append(places, o.Place)
	}
	slices.Sort(places)
	for i := range list {
		list[i].Place = int64(slices.Index(places, list[i].Place))
	}
}

// name is what an event is called in all books.
func name(ev topup.Event) string {
	return fmt.Sprintf("%s/%d/%s", cmp.Or(string(ev.OrderID), ev.Caller), ev.Sequence, ev.Endpoint)
}

// kind is what is compared of an error.
func kind(err error) string {
	var refused *topup.TransitionError
	var moved *topup.MovedOnError
	var early *topup.TooEarlyError
	var often *topup.QuotaError
	switch {
	case err == nil:
		return "ok"
	case len(topup.FieldErrors(err)) > 0:
		var fields []string
		for _, f := range topup.FieldErrors(err) {
			fields = append(fields, f.Field)
		}
		return "wrong " + strings.Join(fields, ", ")
	case errors.As(err, &refused):
		return fmt.Sprintf("refused: %s of %s, which is %s", refused.By, refused.ID, refused.From)
	case errors.As(err, &moved):
		return fmt.Sprintf("moved on from %d to %d", moved.Attempt, moved.Latest)
	case errors.As(err, &early):
		return fmt.Sprint("too early until ", since(early.Until))
	case errors.As(err, &often):
		return fmt.Sprint("too often for ", often.After)
	}
	for _, one := range []error{topup.ErrNotFound, topup.ErrConflict, topup.ErrLost, topup.ErrNotDisputed} {
		if errors.Is(err, one) {
			return one.Error()
		}
	}
	return err.Error()
}
