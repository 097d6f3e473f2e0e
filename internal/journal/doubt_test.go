package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/internal/access"
	"recarga/internal/audit"
	"recarga/internal/journal"
	"recarga/internal/journal/archived"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/topup/desk"
)

// TestLostCommitAnswer: the commit happens, and its answer never arrives, to any operation: it ends as if it had.
// Outside of make prove some are tried, other ones each time.
func TestLostCommitAnswer(t *testing.T) {
	all := slices.Clone(changes)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, op := range all[:testkit.Times(8, len(all))] {
		for cuts := int64(1); cuts <= int64(testkit.Times(1, 2)); cuts++ {
			t.Run(fmt.Sprintf("%s/%d cuts", op.name, cuts), func(t *testing.T) {
				t.Parallel()
				line, s := wiredStore(t)
				run := op.prepare(t, s, "A")
				line.answers.Store(cuts)
				ev, err := run(t.Context())
				if err != nil || line.answers.Load() > 0 {
					t.Fatalf("%v; %d answers were not lost", err, line.answers.Load())
				}
				op.check(t, s, "A", ev)
				if again, err := run(t.Context()); again != nil || err == nil && !op.repeats {
					t.Errorf("done again by somebody else: event %+v, %v", again, err)
				}
			})
		}
	}
}

// TestNothingIsConfirmedWithoutTheStandby: the standby is away, and every wait for it is canceled. No operation ends
// as if it had happened, nor does its repeat, which finds what the primary has: not as done, as refused, nor as lost
// to somebody else. The promoted standby has none of it, and everything is done there for the first time.
func TestNothingIsConfirmedWithoutTheStandby(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	c := newPair(t)
	s := store{Journal: c.journal}
	id := func(i int) topup.ID { return topup.ID(fmt.Sprint("ORD-", i)) }
	runs := make([]func(context.Context) (*topup.Event, error), len(changes))
	for i, op := range changes {
		runs[i] = op.prepare(t, s, id(i))
	}
	c.replication.cut()
	for _, how := range []string{"first", "repeated"} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			each(len(runs), func(i int) {
				if ev, err := runs[i](t.Context()); ev != nil || !errors.Is(err, journal.ErrInDoubt) {
					t.Errorf("%s, %s: event %+v, %v", changes[i].name, how, ev, err)
				}
			})
		}()
		c.interrupted(t, "pg_cancel_backend", func() bool {
			select {
			case <-done:
				return true
			default:
				return false
			}
		})
	}
	c.primary.Kill()
	c.standby.Promote()
	eventually(t, "the new primary takes writes", func() bool {
		return s.EndpointHealthy(t.Context(), "nobody", "https://nowhere.example") == nil
	})
	each(len(runs), func(i int) {
		ev, err := runs[i](t.Context())
		if err != nil {
			t.Errorf("%s, at the new primary: %v", changes[i].name, err)
			return
		}
		changes[i].check(t, s, id(i), ev)
	})
}

// reads are the methods that confirm nothing: what they return may be taken back by a failover.
var reads = strings.Fields(`Actions Acts Around Balance BalanceChangesSince BalancesSince BulkAction BulkPage Bulks
BulkStarter OpenBulks Released Caller CallerByKey Callers CheckArchive Close Controls CountByState CountEvents
CountLeaving Details DisabledEndpoints Disputed Due DueEvents Conclude Conclusion EndpointHealth EndpointsHealth
Events Export FailingEndpoints Feed FeedEnds Find FindPart Held Waiting WaitingByPriority List OldestUndelivered
OldestUnknown OpenByCaller Order Overdue Overview Page PageBefore PausedOrders Operator OperatorByKey Operators Ping
Present Risks SessionEnded Sold Standings Unbought Versions`)

// TestEveryWriteIsCutOff: no method that writes is missing among the changes.
func TestEveryWriteIsCutOff(t *testing.T) {
	known := append(slices.Clone(reads), "Archive") // TestArchiveCutOff
	for _, op := range changes {
		method, _, _ := strings.Cut(op.name, ",")
		known = append(known, method)
	}
	var methods []string
	for m := range reflect.TypeFor[*journal.Journal]().Methods() {
		methods = append(methods, m.Name)
		if !slices.Contains(known, m.Name) {
			t.Errorf("%s is no change and no read", m.Name)
		}
	}
	for _, name := range known {
		if !slices.Contains(methods, name) {
			t.Errorf("there is no method %s", name)
		}
	}
}

// TestArchiveCutOff: the answer to a commit of a move to the archive is lost. Each order is there, and the rest is
// moved the next time.
func TestArchiveCutOff(t *testing.T) {
	t.Parallel()
	line, s := wiredStore(t)
	old, young := s.inState(t, "old", topup.StateFailed), s.inState(t, "young", topup.StateQueued)
	d, err := s.Details(t.Context(), old.ID)
	must(t, err)
	ev := d.Events[0]
	must(t, s.RecordTry(t.Context(), ev, topup.Try{At: noon}, topup.EventDelivered, noon))
	line.answers.Store(1)
	later := noon.Add(1000 * time.Hour)
	archive := func() (archived.Totals, error) {
		return s.Archive(t.Context(), later, later, nil)
	}
	if _, err := archive(); err == nil || line.answers.Load() > 0 {
		t.Errorf("%v; %d answers were not lost", err, line.answers.Load())
	}
	if _, err := archive(); err != nil {
		t.Error(err)
	}
	for _, o := range []topup.Order{old, young} {
		got, err := s.Details(t.Context(), o.ID)
		if err != nil || got.State != o.State {
			t.Errorf("%s is %s, %v", o.ID, got.State, err)
		}
		if _, replayed, err := s.Accept(t.Context(), request(string(o.ID)), later); err != nil || !replayed {
			t.Errorf("%s placed again: replayed %v, %v", o.ID, replayed, err)
		}
	}
	if check, err := s.CheckArchive(t.Context()); err != nil || len(check.Wrong) > 0 {
		t.Errorf("%+v, %v", check, err)
	}
}

// change is an operation on an order or what hangs on it. Its name begins with the method's.
type change struct {
	name    string
	prepare preparation
	// state and events are the order's in the end; returned says that the operation returns its latest event.
	state    topup.State
	events   int
	returned bool
	// repeats says that it may be done any number of times.
	repeats bool
}

// preparation makes an order, and returns the operation.
type preparation func(testing.TB, store, topup.ID) action

type action func(context.Context) (*topup.Event, error)

// check compares the order with what the operation, which returned ev, makes of it.
func (c change) check(t *testing.T, s store, id topup.ID, ev *topup.Event) {
	t.Helper()
	d, err := s.Details(t.Context(), id)
	must(t, err)
	latest := ""
	if c.events > 0 && len(d.Events) == c.events {
		latest = d.Events[c.events-1].ID
	}
	if d.State != c.state || len(d.Events) != c.events || (ev != nil) != c.returned || ev != nil && ev.ID != latest {
		t.Errorf("%s: %s with events %+v, returned %+v; want %s with %d", c.name, d.State, d.Events, ev, c.state, c.events)
	}
}

// on is an operation on an order in the state.
func on(state topup.State, do func(context.Context, store, topup.Order) (*topup.Event, error)) preparation {
	return func(tb testing.TB, s store, id topup.ID) action {
		o := s.inState(tb, string(id), state)
		return func(ctx context.Context) (*topup.Event, error) { return do(ctx, s, o) }
	}
}

// onEvent is an operation on the event of a failed order.
func onEvent(do func(context.Context, store, topup.Event) error) preparation {
	return func(tb testing.TB, s store, id topup.ID) action {
		d, err := s.Details(tb.Context(), s.inState(tb, string(id), topup.StateFailed).ID)
		must(tb, err)
		return func(ctx context.Context) (*topup.Event, error) { return nil, do(ctx, s, d.Events[0]) }
	}
}

// beside is an operation that leaves orders alone.
func beside(do func(context.Context, store, topup.ID) error) preparation {
	return on(topup.StateQueued, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		return nil, do(ctx, s, o.ID)
	})
}

func bulkAction(id topup.ID) topup.BulkAction {
	return topup.BulkAction{ID: "bulk_" + string(id), Action: topup.BulkCancel, Filter: "state=queued", Reason: "a flood",
		By: "ana", Count: 1, CreatedAt: noon}
}

// onBulk is an operation on a bulk action.
func onBulk(do func(context.Context, store, string) error) preparation {
	return func(tb testing.TB, s store, id topup.ID) action {
		s.accept(tb, string(id))
		a := bulkAction(id)
		must(tb, s.AddBulk(tb.Context(), a, []string{"[]"}))
		return func(ctx context.Context) (*topup.Event, error) { return nil, do(ctx, s, a.ID) }
	}
}

func finishing(state topup.State) preparation {
	return on(topup.StateSubmitting, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		_, ev, err := s.Finish(ctx, settlement(o, state), noon)
		return ev, err
	})
}

func resolving(as topup.ResolvedAs) preparation {
	r := topup.Resolution{Outcome: as, Reason: "by the portal", By: "ana", Forced: true}
	return on(topup.StateUnknown, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		_, ev, err := s.Resolve(ctx, o.ID, r, noon)
		return ev, err
	})
}

// done is nil if the operation was this caller's to do.
func done(mine bool, err error) error {
	if err == nil && !mine {
		err = errors.New("somebody else did it")
	}
	return err
}

const elsewhere = "https://shop.example/hook"

var changes = []change{
	{"Accept", func(_ testing.TB, s store, id topup.ID) action {
		return func(ctx context.Context) (*topup.Event, error) {
			_, replayed, err := s.Accept(ctx, request(string(id)), noon)
			return nil, done(!replayed, err)
		}
	}, topup.StateQueued, 0, false, false},
	{"Accept, which claims", claiming, topup.StateSucceeded, 1, false, true},
	{"Restore", restoring, topup.StateSucceeded, 0, false, true},
	{"AcceptInvalid", func(_ testing.TB, s store, id topup.ID) action {
		return func(ctx context.Context) (*topup.Event, error) {
			return s.AcceptInvalid(ctx, request(string(id)).Order(noon), "phone_number: wrong", noon)
		}
	}, topup.StateFailed, 1, true, false},
	{"Begin", beside(func(ctx context.Context, s store, id topup.ID) error {
		_, err := s.Begin(ctx, id, 0, workerName, noon.Add(time.Minute), noon)
		return err
	}), topup.StateSubmitting, 0, false, false},
	{"BeginFirst", beside(func(ctx context.Context, s store, id topup.ID) error {
		_, err := s.BeginFirst(ctx, id, workerName, noon.Add(time.Minute), noon)
		return err
	}), topup.StateSubmitting, 0, false, false},
	{"Finish", finishing(topup.StateSucceeded), topup.StateSucceeded, 1, true, false},
	{"Finish, to be tried again", finishing(topup.StateRetrying), topup.StateRetrying, 0, false, false},
	{"Finish, unknown", finishing(topup.StateUnknown), topup.StateUnknown, 1, true, true},
	{"Finish, late", on(topup.StateUnknown, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		_, ev, err := s.Finish(ctx, settlement(o, topup.StateSucceeded), noon)
		return ev, err
	}), topup.StateSucceeded, 2, true, false},
	{"End", on(topup.StateQueued, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		_, ev, err := s.End(ctx, o.ID, timeIsUp)
		return ev, err
	}), topup.StateFailed, 1, true, false},
	{"Cancel", on(topup.StateQueued, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		_, ev, err := s.Cancel(ctx, o.ID, "shop", noon)
		return ev, err
	}), topup.StateCanceled, 1, true, true},
	{"Resolve", resolving(topup.ResolvedSucceeded), topup.StateSucceeded, 2, true, true},
	{"Resolve, to be sent again", resolving(topup.ResolvedResend), topup.StateRetrying, 1, false, true},
	{"Correct", on(topup.StateFailed, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		c := topup.Correction{Outcome: topup.ResolvedSucceeded, Reason: "by the portal", By: "ana"}
		_, ev, err := s.Correct(ctx, o.ID, c, noon)
		return ev, err
	}), topup.StateSucceeded, 2, true, true},
	{"Dispute", on(topup.StateFailed, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		_, err := s.Dispute(ctx, o.ID, topup.Dispute{Evidence: "charged", RaisedBy: "statement"}, noon)
		return nil, err
	}), topup.StateFailed, 1, false, true},
	{"Uphold", func(tb testing.TB, s store, id topup.ID) action {
		o := s.inState(tb, string(id), topup.StateFailed)
		_, err := s.Dispute(tb.Context(), o.ID, topup.Dispute{Evidence: "charged", RaisedBy: "statement"}, noon)
		must(tb, err)
		return func(ctx context.Context) (*topup.Event, error) {
			u := topup.Upholding{Outcome: topup.DisputeUpheld, Reason: "another's charge", By: "ana"}
			_, err := s.Uphold(ctx, o.ID, u, noon)
			return nil, err
		}
	}, topup.StateFailed, 1, false, true},
	{"Hold", on(topup.StateRetrying, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		_, ev, err := s.Hold(ctx, o.ID, aHold, noon)
		return ev, err
	}), topup.StateUnknown, 1, true, true},
	{"AddEvidence", on(topup.StateUnknown, func(ctx context.Context, s store, o topup.Order) (*topup.Event, error) {
		return nil, s.AddEvidence(ctx, o.ID, 1, "seen")
	}), topup.StateUnknown, 1, false, true},
	{"Defer", beside(func(ctx context.Context, s store, id topup.ID) error {
		return s.Defer(ctx, id, 0, topup.WaitRate, noon)
	}), topup.StateQueued, 0, false, true},
	{"Release", func(tb testing.TB, s store, id topup.ID) action {
		o := s.accept(tb, string(id))
		must(tb, s.Defer(tb.Context(), o.ID, 0, topup.WaitRate, noon))
		return func(ctx context.Context) (*topup.Event, error) {
			_, err := s.Release(ctx, o.ID, noon)
			return nil, err
		}
	}, topup.StateQueued, 0, false, false},
	{"HoldBack", beside(func(ctx context.Context, s store, id topup.ID) error {
		_, err := s.HoldBack(ctx, id, noon)
		return err
	}), topup.StateQueued, 0, false, true},
	{"LetGo", func(tb testing.TB, s store, id topup.ID) action {
		o := s.accept(tb, string(id))
		_, err := s.HoldBack(tb.Context(), o.ID, noon)
		must(tb, err)
		return func(ctx context.Context) (*topup.Event, error) {
			_, err := s.LetGo(ctx, o.ID, noon)
			return nil, err
		}
	}, topup.StateQueued, 0, false, true},
	{"AddBulk", beside(func(ctx context.Context, s store, id topup.ID) error {
		return s.AddBulk(ctx, bulkAction(id), []string{"[]"})
	}), topup.StateQueued, 0, false, true},
	{"ClaimBulk", onBulk(func(ctx context.Context, s store, id string) error {
		mine, err := s.ClaimBulk(ctx, id, workerName, noon.Add(time.Minute), noon)
		return done(mine, err)
	}), topup.StateQueued, 0, false, true},
	{"FinishBulkPage", onBulk(func(ctx context.Context, s store, id string) error {
		return s.FinishBulkPage(ctx, id, 0, 1, nil, noon)
	}), topup.StateQueued, 0, false, true},
	{"EndBulk", onBulk(func(ctx context.Context, s store, id string) error { return s.EndBulk(ctx, id, noon) }),
		topup.StateQueued, 0, false, true},
	{"StopBulk", onBulk(func(ctx context.Context, s store, id string) error { return s.StopBulk(ctx, id, "ana", noon) }),
		topup.StateQueued, 0, false, true},
	{"Event", onEvent(func(ctx context.Context, s store, ev topup.Event) error {
		_, err := s.Event(ctx, ev.ID)
		return err
	}), topup.StateFailed, 1, false, true},
	{"RecordTry", onEvent(func(ctx context.Context, s store, ev topup.Event) error {
		return s.RecordTry(ctx, ev, topup.Try{At: noon, DurationMS: 1500}, topup.EventPending, noon.Add(time.Minute))
	}), topup.StateFailed, 1, false, false},
	{"RedeliverWithin", onEvent(func(ctx context.Context, s store, ev topup.Event) error {
		return s.RedeliverWithin(ctx, ev, 3, noon)
	}), topup.StateFailed, 1, false, true},
	{"RedeliverAll", onEvent(func(ctx context.Context, s store, _ topup.Event) error {
		_, _, err := s.RedeliverAll(ctx, topup.EventFilter{}, time.Now(), func(topup.Event) {})
		return err
	}), topup.StateFailed, 1, false, true},
	{"FanOut", onEvent(func(ctx context.Context, s store, ev topup.Event) error {
		copies, err := s.FanOut(ctx, ev, []string{"erp"}, false, noon)
		return done(len(copies) == 1, err)
	}), topup.StateFailed, 2, false, false},
	{"AddCaller", beside(func(ctx context.Context, s store, id topup.ID) error {
		return s.AddCaller(ctx, caller(string(id), string(id)))
	}), topup.StateQueued, 0, false, false},
	{"ChangeCaller", func(tb testing.TB, s store, id topup.ID) action {
		s.accept(tb, string(id))
		was := caller(string(id), string(id))
		must(tb, s.AddCaller(tb.Context(), was))
		is := was
		is.Secrets = []byte("t")
		return func(ctx context.Context) (*topup.Event, error) { return nil, s.ChangeCaller(ctx, is, was) }
	}, topup.StateQueued, 0, false, false},
	{"EndpointFailed", beside(func(ctx context.Context, s store, id topup.ID) error {
		_, err := s.EndpointFailed(ctx, string(id), elsewhere, noon)
		return err
	}), topup.StateQueued, 0, false, true},
	{"EndpointHealthy", beside(func(ctx context.Context, s store, id topup.ID) error {
		return s.EndpointHealthy(ctx, string(id), elsewhere)
	}), topup.StateQueued, 0, false, true},
	{"DisableEndpoint", beside(func(ctx context.Context, s store, id topup.ID) error {
		d := topup.DisabledEndpoint{Caller: string(id), Endpoint: topup.DefaultEndpoint, URL: elsewhere, Reason: "410"}
		disabled, ev, err := s.DisableEndpoint(ctx, d, true, noon)
		return done(disabled && ev != nil, err)
	}), topup.StateQueued, 0, false, false},
	{"ResealCaller", func(tb testing.TB, s store, id topup.ID) action {
		s.accept(tb, string(id))
		must(tb, s.AddCaller(tb.Context(), caller(string(id), string(id))))
		return func(ctx context.Context) (*topup.Event, error) {
			return nil, s.ResealCaller(ctx, string(id), []byte("t"), []byte("s"))
		}
	}, topup.StateQueued, 0, false, false},
	{"AddOperator", beside(func(ctx context.Context, s store, id topup.ID) error {
		return s.AddOperator(ctx, operator(string(id)))
	}), topup.StateQueued, 0, false, false},
	{"ChangeOperator", func(tb testing.TB, s store, id topup.ID) action {
		s.accept(tb, string(id))
		o := operator(string(id))
		must(tb, s.AddOperator(tb.Context(), o))
		o.Role, o.Version = access.Viewer, 2
		return func(ctx context.Context) (*topup.Event, error) { return nil, s.ChangeOperator(ctx, o) }
	}, topup.StateQueued, 0, false, false},
	{"SetControl", beside(func(ctx context.Context, s store, id topup.ID) error {
		return s.SetControl(ctx, desk.Control{Kind: desk.PauseCaller, Name: topup.NullString(id), Since: noon})
	}), topup.StateQueued, 0, false, true},
	{"EndControl", beside(func(ctx context.Context, s store, id topup.ID) error {
		return s.EndControl(ctx, desk.PauseCaller, string(id))
	}), topup.StateQueued, 0, false, true},
	{"RecordAct", beside(func(ctx context.Context, s store, id topup.ID) error {
		return s.RecordAct(audit.With(ctx, desk.Act{By: "ana", Action: "ping", On: topup.NullString(id)}))
	}), topup.StateQueued, 0, false, true},
	{"EndSession", beside(func(ctx context.Context, s store, id topup.ID) error {
		return s.EndSession(ctx, string(id), noon)
	}), topup.StateQueued, 0, false, true},
	{"ClaimBalance", beside(func(ctx context.Context, s store, _ topup.ID) error {
		mine, err := s.ClaimBalance(ctx, time.Minute, noon)
		return done(mine, err)
	}), topup.StateQueued, 0, false, false},
	{"RecordBalance", beside(func(ctx context.Context, s store, _ topup.ID) error {
		return s.RecordBalance(ctx, reading(100, 0))
	}), topup.StateQueued, 0, false, true},
	{"SetBalanceLow", beside(func(ctx context.Context, s store, _ topup.ID) error {
		news, ev, err := s.SetBalanceLow(ctx, reading(100, 0), topup.Pesos(200), true, noon)
		return done(news && ev != nil, err)
	}), topup.StateQueued, 0, false, false},
	{"JudgeBalance", func(tb testing.TB, s store, id topup.ID) action {
		s.accept(tb, string(id))
		_, err := s.JudgeBalance(tb.Context(), reading(100000, 0), 0, true, noon)
		must(tb, err)
		return func(ctx context.Context) (*topup.Event, error) {
			m, err := s.JudgeBalance(ctx, reading(10, 60), 0, true, noon)
			return nil, done(m.Drift > 0 && m.Event != nil, err)
		}
	}, topup.StateQueued, 0, false, false},
}

func operator(name string) access.Account {
	return access.Account{Name: name, Role: access.Admin, KeyHash: []byte(name), CreatedAt: noon, Version: 1}
}
