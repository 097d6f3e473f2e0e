package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/audit"
	"recarga/internal/bulk"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/journal/search"
	"recarga/producer"
	"recarga/topup"
	words "recarga/topup/desk"
)

// desk is a book with the operations on its orders.
type desk struct {
	*journal.Journal
	orders *producer.Producer
}

var quiet = slog.New(slog.DiscardHandler)

func newDesk(t *testing.T) desk {
	t.Helper()
	j, err := journal.Open(t.Context(), journaltest.SQLite(t))
	must(t, err)
	t.Cleanup(func() { must(t, j.Close()) })
	return desk{j, producer.New(j, nowhere{}, quiet)}
}

// nowhere is a queue that forgets.
type nowhere struct{}

func (nowhere) EnqueueOrder(context.Context, topup.Request, time.Time) error { return nil }
func (nowhere) EnqueueEvent(context.Context, string, time.Time) error        { return nil }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// held are orders of unknown outcome, of a caller, in the order of their numbers.
func (d desk) held(t *testing.T, caller string, count int) (ids []topup.ID) {
	t.Helper()
	at := time.Now().Add(-time.Hour)
	for i := range count {
		id := topup.ID(fmt.Sprintf("%s-%03d", caller, i))
		_, _, err := d.Accept(t.Context(), topup.Request{ID: id, Caller: caller, Phone: "5537686660", Product: "MOVISTAR_TAE",
			Amount: topup.Pesos(50)}, at)
		must(t, err)
		_, err = d.Begin(t.Context(), id, 0, "w", at.Add(time.Minute), at)
		must(t, err)
		_, _, err = d.Finish(t.Context(), topup.Settlement{ID: id, Number: 1, State: topup.StateUnknown,
			Result: topup.Result{Outcome: topup.OutcomeUnknown, Error: "cut off"}}, at.Add(time.Second))
		must(t, err)
		ids = append(ids, id)
	}
	return ids
}

func (d desk) stories(t *testing.T, ids []topup.ID) (all []topup.Details) {
	t.Helper()
	for _, id := range ids {
		one, err := d.Details(t.Context(), id)
		must(t, err)
		all = append(all, one)
	}
	return all
}

// begin starts an action on the orders of a caller that it is for: the unknown or the queued ones.
func (d desk) begin(t *testing.T, r *bulk.Runner, kind topup.BulkKind, caller string) topup.BulkAction {
	t.Helper()
	return d.beginAs(t.Context(), t, r, kind, caller)
}

// beginAs is begin in somebody's name.
func (d desk) beginAs(
	ctx context.Context, t *testing.T, r *bulk.Runner, kind topup.BulkKind, caller string,
) topup.BulkAction {
	t.Helper()
	var set bulk.Set
	var err error
	a := topup.BulkAction{Action: kind, Filter: "caller=" + caller, Reason: "line 7", By: "ana"}
	switch kind {
	case topup.BulkRedeliver:
		set, err = bulk.ChooseEvents(ctx, d, topup.EventFilter{Caller: caller})
	case topup.BulkCancel:
		set, err = bulk.ChooseOrders(ctx, d, kind, search.Filter{State: topup.StateQueued, Caller: caller})
	default:
		a.Outcome = "failed"
		set, err = bulk.ChooseOrders(ctx, d, kind, search.Filter{State: topup.StateUnknown, Caller: caller})
	}
	must(t, err)
	a, err = r.Start(ctx, a, set)
	must(t, err)
	return a
}

func (d desk) wantAction(t *testing.T, id string, state topup.BulkState, done, refused int) topup.BulkAction {
	t.Helper()
	a, err := d.BulkAction(t.Context(), id)
	must(t, err)
	if a.State != state || a.Done != done || a.Refused != refused {
		t.Errorf("%s with %d done, %d refused; want %s, %d, %d: %+v", a.State, a.Done, a.Refused, state, done, refused, a)
	}
	return a
}

// later is a book at a later time: of a claim that has lapsed.
type later struct {
	*journal.Journal
	by time.Duration
}

func (l later) OpenBulks(ctx context.Context, worker string, now time.Time) ([]topup.BulkAction, error) {
	return l.Journal.OpenBulks(ctx, worker, now.Add(l.by))
}

func (l later) ClaimBulk(ctx context.Context, id, worker string, until, now time.Time) (bool, error) {
	return l.Journal.ClaimBulk(ctx, id, worker, until.Add(l.by), now.Add(l.by))
}

// dying are operations of a process that ends after so many of them, without saying what came of the last ones.
type dying struct {
	*producer.Producer
	mu   sync.Mutex
	left int
	// calls counts them by what they were about.
	calls map[string]int
}

var errDead = errors.New("the process has ended")

func (d *dying) called(about string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left--; d.left < 0 {
		return errDead
	}
	d.calls[about]++
	return nil
}

func (d *dying) Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (o topup.Order, err error) {
	if err = d.called(string(id)); err == nil {
		o, err = d.Producer.Resolve(ctx, id, r)
	}
	return o, err
}

func (d *dying) Redeliver(ctx context.Context, id string, who producer.Actor) (ev topup.Event, err error) {
	if err = d.called(id); err == nil {
		ev, err = d.Producer.Redeliver(ctx, id, who)
	}
	return ev, err
}

// TestGoesOnAfterACrash: the process ends within a page. Another one goes on once the claim has lapsed, and not before;
// each order is resolved once, and nobody else's.
func TestGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	mine, others := d.held(t, "shop", 130), d.held(t, "kiosk", 3)
	before := d.stories(t, others)
	first := &dying{Producer: d.orders, left: 57, calls: map[string]int{}}
	dead := bulk.NewRunner(d, first, quiet)
	a := d.begin(t, dead, topup.BulkResolve, "shop")
	if err := dead.Do(t.Context()); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	d.wantAction(t, a.ID, topup.BulkRunning, 0, 0)
	second := &dying{Producer: d.orders, left: 1000, calls: map[string]int{}}
	must(t, bulk.NewRunner(d, second, quiet).Do(t.Context()))
	if len(second.calls) > 0 {
		t.Errorf("%d were acted on by a process that has not claimed the action", len(second.calls))
	}
	must(t, bulk.NewRunner(later{d.Journal, time.Hour}, second, quiet).Do(t.Context()))
	d.wantAction(t, a.ID, topup.BulkDone, 130, 0)
	for _, one := range d.stories(t, mine) {
		if one.State != topup.StateFailed || len(one.Resolutions) != 1 || len(one.Events) != 2 ||
			one.Resolutions[0].By != "ana" || one.Resolutions[0].Reason != "line 7" {
			t.Errorf("%s is %s, resolved %+v, with %d events", one.ID, one.State, one.Resolutions, len(one.Events))
		}
	}
	if diff := cmp.Diff(before, d.stories(t, others)); diff != "" {
		t.Errorf("others have changed: %s", diff)
	}
}

// TestNothingIsSentTwice: of an action that began anew within a page, no event is sent again twice. What the first
// process did not say is refused.
func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, one := range d.stories(t, d.held(t, "shop", 40)) {
		ok := 200
		must(t, d.RecordTry(t.Context(), one.Events[0], topup.Try{At: time.Now(), Status: &ok}, topup.EventDelivered,
			time.Time{}))
	}
	first := &dying{Producer: d.orders, left: 20, calls: map[string]int{}}
	dead := bulk.NewRunner(d, first, quiet)
	a := d.begin(t, dead, topup.BulkRedeliver, "shop")
	if err := dead.Do(t.Context()); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	second := &dying{Producer: d.orders, left: 1000, calls: map[string]int{}}
	must(t, bulk.NewRunner(later{d.Journal, time.Hour}, second, quiet).Do(t.Context()))
	for id := range first.calls {
		if second.calls[id] > 0 {
			t.Errorf("event %s was sent again twice", id)
		}
	}
	got := d.wantAction(t, a.ID, topup.BulkDone, 20, 20)
	if len(got.Refusals) != 20 || got.Refusals[0].Why == "" {
		t.Errorf("refusals %+v", got.Refusals)
	}
}

// TestWhatHasChangedIsRefused, and stays as somebody else left it.
func TestWhatHasChangedIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := d.held(t, "shop", 3)
	r := bulk.NewRunner(d, d.orders, quiet)
	a := d.begin(t, r, topup.BulkResolve, "shop")
	_, err := d.orders.Resolve(t.Context(), ids[0], topup.Resolution{Outcome: topup.ResolvedSucceeded, Reason: "x", By: "eva"})
	must(t, err)
	must(t, d.AddEvidence(t.Context(), ids[1], 1, "seen")) // no change of the order
	must(t, r.Do(t.Context()))
	got := d.wantAction(t, a.ID, topup.BulkDone, 2, 1)
	if len(got.Refusals) != 1 || got.Refusals[0].ID != string(ids[0]) {
		t.Errorf("refusals %+v", got.Refusals)
	}
	if o, _ := d.Order(t.Context(), ids[0]); o.State != topup.StateSucceeded {
		t.Errorf("%s is %s", o.ID, o.State)
	}
}

// touched is a book whose orders have changed since they were shown.
type touched struct{ *journal.Journal }

func (b touched) Order(ctx context.Context, id topup.ID) (topup.Order, error) {
	o, err := b.Journal.Order(ctx, id)
	o.UpdatedAt = o.UpdatedAt.Add(time.Microsecond)
	return o, err
}

// TestChangedWithoutAnAttempt: an unknown order that is not as it was shown is not resolved, though no attempt came.
func TestChangedWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := d.held(t, "shop", 2)
	r := bulk.NewRunner(touched{d.Journal}, d.orders, quiet)
	a := d.begin(t, r, topup.BulkResolve, "shop")
	must(t, r.Do(t.Context()))
	d.wantAction(t, a.ID, topup.BulkDone, 0, len(ids))
	for _, id := range ids {
		if o, err := d.Order(t.Context(), id); err != nil || o.State != topup.StateUnknown {
			t.Errorf("%s is %s, %v", id, o.State, err)
		}
	}
}

// TestStopped: what was not begun is not acted on.
func TestStopped(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := d.held(t, "shop", 5)
	before := d.stories(t, ids)
	r := bulk.NewRunner(d, d.orders, quiet)
	a := d.begin(t, r, topup.BulkResolve, "shop")
	_, err := r.Stop(t.Context(), a.ID, "eva")
	must(t, err)
	d.wantAction(t, a.ID, topup.BulkStopping, 0, 0)
	must(t, r.Do(t.Context()))
	if got := d.wantAction(t, a.ID, topup.BulkStopped, 0, 0); got.StoppedBy != "eva" {
		t.Errorf("stopped by %q", got.StoppedBy)
	}
	if diff := cmp.Diff(before, d.stories(t, ids)); diff != "" {
		t.Error(diff)
	}
	if _, err := r.Stop(t.Context(), "bulk_x", "eva"); !errors.Is(err, topup.ErrNotFound) {
		t.Error(err)
	}
}

// TestOneProcessDoesIt: of processes that begin at once, one acts.
func TestOneProcessDoesIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.held(t, "shop", 150)
	ops := &dying{Producer: d.orders, left: 1000, calls: map[string]int{}}
	a := d.begin(t, bulk.NewRunner(d, ops, quiet), topup.BulkResolve, "shop")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := bulk.NewRunner(d, ops, quiet).Do(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	d.wantAction(t, a.ID, topup.BulkDone, 150, 0)
	for id, calls := range ops.calls {
		if calls != 1 {
			t.Errorf("%s was acted on %d times", id, calls)
		}
	}
	if next, err := d.Bulks(t.Context(), "", 10); err != nil || len(next) != 1 || next[0].ID != a.ID {
		t.Errorf("listed are %+v, %v", next, err)
	}
}

func TestCheckOfActions(t *testing.T) {
	for _, tt := range []struct {
		a    topup.BulkAction
		good bool
	}{
		{topup.BulkAction{Action: topup.BulkCancel, Reason: "x", By: "ana"}, true},
		{topup.BulkAction{Action: topup.BulkCancel, By: "ana"}, false},
		{topup.BulkAction{Action: topup.BulkResolve, Outcome: "resend", Reason: "x", By: "ana"}, true},
		{topup.BulkAction{Action: topup.BulkResolve, Reason: "x", By: "ana"}, false},
		{topup.BulkAction{Action: topup.BulkResolve, Outcome: "paid", Reason: "x", By: "ana"}, false},
	} {
		if err := bulk.Check(tt.a); (err == nil) != tt.good {
			t.Errorf("%+v: %v", tt.a, err)
		}
	}
}

// TestMembersAreAudited: whichever process acts on them, it does so as who began the action, from where and why that
// was; a member that it begins anew is one thing, and one that was refused, or is somebody else's, none.
func TestMembersAreAudited(t *testing.T) {
	t.Parallel()
	for _, kind := range topup.BulkKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			var ids, on []string
			for _, one := range d.stories(t, d.members(t, kind, 30)) {
				ids = append(ids, string(one.ID))
				on = append(on, string(one.ID))
				if kind == topup.BulkRedeliver {
					ok := 200
					must(t, d.RecordTry(t.Context(), one.Events[0], topup.Try{At: time.Now(), Status: &ok},
						topup.EventDelivered, time.Time{}))
					on[len(on)-1] = one.Events[0].ID
				}
			}
			who := words.Act{By: "ana", Role: "operator", Via: words.ViaConsole, Address: "198.51.100.7", Action: "startBulk"}
			r := bulk.NewRunner(d, &dying{Producer: d.orders, left: 10, calls: map[string]int{}}, quiet)
			a := d.beginAs(audit.With(t.Context(), who), t, r, kind, "shop")
			_ = r.Do(t.Context())
			must(t, bulk.NewRunner(later{d.Journal, time.Hour}, d.orders, quiet).Do(t.Context()))
			acts, _, err := d.Acts(t.Context(), words.ActFilter{ID: a.ID, Limit: 1000})
			must(t, err)
			want := map[topup.BulkKind]words.Act{
				topup.BulkResolve:   {Action: "resolveTopup", Detail: topup.NullString("failed by " + a.ID)},
				topup.BulkCancel:    {Action: "cancelTopup", Detail: topup.NullString("by " + a.ID)},
				topup.BulkRedeliver: {Action: "redeliverEvent", Detail: topup.NullString("by " + a.ID)},
			}[kind]
			want.By, want.Role, want.Via, want.Address, want.Reason = "ana", "operator", words.ViaConsole, "198.51.100.7", "line 7"
			want.ID, want.Count = a.ID, 1
			var changed, orders []string
			for _, act := range acts {
				changed, orders = append(changed, string(act.On)), append(orders, string(act.OrderID))
				act.On, act.OrderID, act.At = "", "", time.Time{}
				if diff := cmp.Diff(want, act); diff != "" {
					t.Fatal(diff)
				}
			}
			slices.Sort(changed)
			slices.Sort(orders)
			slices.Sort(on)
			if diff := cmp.Diff(on, changed); diff != "" {
				t.Errorf("audited are others: %s", diff)
			}
			if diff := cmp.Diff(ids, orders); diff != "" {
				t.Errorf("audited are the orders of others: %s", diff)
			}
			page, _, err := d.Acts(t.Context(), words.ActFilter{})
			must(t, err)
			if len(page) != 2 || page[0].Count != 30 || page[1].Action != "startBulk" || string(page[1].On) != a.ID {
				t.Errorf("the audit has %+v", page)
			}
			if of, _, err := d.Acts(t.Context(), words.ActFilter{On: ids[3]}); err != nil || len(of) != 1 {
				t.Errorf("of one order it has %+v, %v", of, err)
			}
		})
	}
}

// TestNobodysMembers: what nobody began is audited as nobody's action.
func TestNobodysMembers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.held(t, "shop", 3)
	r := bulk.NewRunner(d, d.orders, quiet)
	a := d.begin(t, r, topup.BulkResolve, "shop")
	must(t, r.Do(t.Context()))
	d.wantAction(t, a.ID, topup.BulkDone, 3, 0)
	if acts, _, err := d.Acts(t.Context(), words.ActFilter{}); err != nil || len(acts) != 0 {
		t.Errorf("the audit has %+v, %v", acts, err)
	}
}

// members are orders of shop that an action is for, or whose events are.
func (d desk) members(t *testing.T, kind topup.BulkKind, count int) (ids []topup.ID) {
	t.Helper()
	if kind != topup.BulkCancel {
		return d.held(t, "shop", count)
	}
	for i := range count {
		id := topup.ID(fmt.Sprintf("shop-%03d", i))
		_, _, err := d.Accept(t.Context(), topup.Request{ID: id, Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE",
			Amount: topup.Pesos(50)}, time.Now())
		must(t, err)
		ids = append(ids, id)
	}
	return ids
}
