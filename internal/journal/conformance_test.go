package journal_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal"
	"recarga/internal/journal/search"
	"recarga/internal/testkit"
	"recarga/topup"
)

func TestSQLite(t *testing.T)   { conformance(t, sqliteStore) }
func TestPostgres(t *testing.T) { conformance(t, postgresStore) }

// conformance is what every engine must do.
func conformance(t *testing.T, open func(testing.TB) store) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(*testing.T, store)
	}{
		{"accept and repeat", testAccept},
		{"one id, 50 at once", testAcceptRace},
		{"an invalid order", testAcceptInvalid},
		{"the feed", testFeed},
		{"begin, 50 at once", testBeginRace},
		{"everything reads back", testReadBack},
		{"every operation in every state", testTransitions},
		{"settlements that contradict themselves", testIncoherent},
		{"late answers", testLate},
		{"an earlier attempt in doubt", testDoubt},
		{"resolutions", testResolve},
		{"what a statement holds", testHold},
		{"begin and hold, at once", testHoldRace},
		{"what a restored book did not know", testRestore},
		{"a restored order is claimed", testClaim},
		{"a restored order is corrected, then claimed", testClaimCorrected},
		{"a restored order is claimed, at once", testClaimRace},
		{"a restored order of a prefix", testRestoredPrefix},
		{"a restored order, archived", testRestoredArchive},
		{"what statements are compared with", testStandings},
		{"what statements are compared with, of several attempts", testStandingOfSeveral},
		{"what statements are compared with, archived", testStandingsArchived},
		{"what moved around an attempt", testAround},
		{"what is concluded of an unknown order", testConclude},
		{"a late approval of what was to be sent again", testLateApproval},
		{"corrections", testCorrect},
		{"disputes", testUphold},
		{"a second approval", testApprovedTwice},
		{"state and event, or neither", testAtomic},
		{"neighbours of a failure", testNeighbours},
		{"different operations in one commit", testSideBySide},
		{"commits are shared", testGroups},
		{"a context that ends", testContext},
		{"lists", testList},
		{"pages while orders are added", testPages},
		{"pages found in parts", testPagesInParts},
		{"exports", testExport},
		{"the archive", testArchive},
		{"an archive that is broken off", testArchiveBrokenOff},
		{"an order that changes while it is archived", testArchiveBesideChange},
		{"an export while orders are archived", testArchiveBesideExport},
		{"an archive that is damaged", testArchiveDamaged},
		{"what is due", testDue},
		{"deliveries", testDeliveries},
		{"events, and their redelivery", testReplay},
		{"callers", testCallers},
		{"operators", testOperators},
		{"what people did", testActsAreWritten},
		{"what was done to an order", testActionsOfAnOrder},
		{"the audit is only added to", testAuditIsOnlyAddedTo},
		{"pauses and limits", testControls},
		{"what is paused", testPausedBegins},
		{"sessions that have ended", testSessions},
		{"redeliveries", testRedeliveries},
		{"prefixes", testPrefixes},
		{"prefixes at once", testPrefixesAtOnce},
		{"the health of endpoints", testEndpointHealth},
		{"one success clears an endpoint", testOneSuccessClears},
		{"what the operator is notified of", testOperatorEvents},
		{"several endpoints", testFanOut},
		{"orders are found by their names", testFind},
		{"an operator holds orders back", testHeldBack},
		{"the balance", testBalance},
		{"the balance is low", testBalanceLow},
		{"the balance drifts", testBalanceDrift},
		{"the overview", testOverview},
		{"what has ended is counted by its time", testEnded},
		{"whoever waits counts as waiting", testOldestWaiting},
		{"the oldest event that is not delivered", testOldestUndelivered},
		{"two journals on one database", testTwoJournals},
		{"an older program", testNewerDatabase},
		{"a random life, against a model", testModel},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func testAccept(t *testing.T, s store) {
	at, until := noon.Add(time.Hour), noon.Add(2*time.Hour)
	r := request("A")
	r.ProcessAt, r.ExpiresAt, r.CallbackURL, r.Metadata = &at, &until, "https://shop.example/hook",
		map[string]string{"cart": "7 ñ"}
	accepted, replayed, err := s.Accept(t.Context(), r, noon)
	must(t, err)
	if replayed {
		t.Error("a new order is called a repeat")
	}
	want := r.Order(noon)
	want.EndsAt = &until
	if diff := cmp.Diff(want, accepted); diff != "" {
		t.Error(diff)
	}
	other, others := r, r
	other.Amount, others.Caller = 2000, "another shop"
	late := request("B")
	late.ExpiresAt = &noon
	cases := []struct {
		name     string
		request  topup.Request
		now      time.Time
		replayed bool
		err      string
	}{
		{"repeat", r, noon, true, "ok"},
		{"repeat after it expired", r, until.Add(time.Hour), true, "ok"},
		{"other content", other, noon, false, "conflict"},
		{"another caller", others, noon, false, "conflict"},
		{"expired", late, noon, false, "expires_at: \"2026-01-31T12:00:00Z\" is not allowed; must be in the future"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, replayed, err := s.Accept(t.Context(), c.request, c.now)
			if got := strings.TrimPrefix(kind(err), "accept B: "); got != c.err || replayed != c.replayed {
				t.Errorf("replayed %v, %v; want %v, %s", replayed, err, c.replayed, c.err)
			}
			if diff := cmp.Diff(accepted, o); c.replayed && diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := s.Order(t.Context(), "B"); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("the refused order: %v", err)
	}
}

func testAcceptRace(t *testing.T, s store) {
	var fresh atomic.Int64
	var orders sync.Map
	each(50, func(int) {
		o, replayed, err := s.Accept(t.Context(), request("A"), noon)
		if err != nil {
			t.Error(err)
		}
		if !replayed {
			fresh.Add(1)
		}
		orders.Store(fmt.Sprint(o), true)
	})
	if fresh.Load() != 1 || len(maps.Collect(orders.Range)) != 1 {
		t.Errorf("%d of 50 were new, with %d different answers", fresh.Load(), len(maps.Collect(orders.Range)))
	}
}

func testAcceptInvalid(t *testing.T, s store) {
	ev, err := s.AcceptInvalid(t.Context(), topup.Order{ID: "A", Caller: "shop"}, "amount: \x00\xff is not allowed", noon)
	must(t, err)
	d, err := s.Details(t.Context(), "A")
	must(t, err)
	if d.State != topup.StateFailed || d.Reason != topup.ReasonInvalid ||
		d.ResponseMessage != "amount: \uFFFD\uFFFD is not allowed" || d.FinishedAt == nil {
		t.Errorf("%+v", d.Order)
	}
	if len(d.Events) != 1 || d.Events[0].ID != ev.ID || ev.Type != "topup.failed" || ev.Sequence != 1 {
		t.Errorf("events %+v, returned %+v", d.Events, ev)
	}
	for id, want := range map[topup.ID]string{"A": "conflict", "": "distributor_transaction_id: an absent"} {
		if _, err := s.AcceptInvalid(t.Context(), topup.Order{ID: id}, "again",
			noon.Add(time.Hour)); !strings.HasPrefix(kind(err), want) {
			t.Errorf("again with id %q: %v, want %s", id, err, want)
		}
	}
	after, err := s.Details(t.Context(), "A")
	must(t, err)
	if diff := cmp.Diff(d, after); diff != "" {
		t.Error(diff)
	}
	if _, _, err := s.Accept(t.Context(), request("A"), noon); !errors.Is(err, topup.ErrConflict) {
		t.Errorf("a valid order of that id: %v", err)
	}
}

func testBeginRace(t *testing.T, s store) {
	s.accept(t, "A")
	var won, lost atomic.Int64
	each(50, func(int) {
		_, err := s.Begin(t.Context(), "A", 0, workerName, noon.Add(time.Minute), noon)
		switch {
		case err == nil:
			won.Add(1)
		case errors.Is(err, topup.ErrLost):
			lost.Add(1)
		default:
			t.Error(err)
		}
	})
	d, err := s.Details(t.Context(), "A")
	must(t, err)
	if won.Load() != 1 || lost.Load() != 49 || len(d.Attempts) != 1 || d.AttemptCount != 1 {
		t.Errorf("%d won, %d lost, %d attempts", won.Load(), lost.Load(), len(d.Attempts))
	}
}

func testReadBack(t *testing.T, s store) {
	o := s.accept(t, "A")
	o = s.begin(t, o)
	o, ev := s.finish(t, settlement(o, topup.StateRetrying))
	if ev != nil || o.State != topup.StateRetrying || !o.NextAttemptAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("after 91: %+v, event %v", o, ev)
	}
	o = s.begin(t, o)
	o, ev = s.finish(t, settlement(o, topup.StateSucceeded))
	if ev == nil || !ev.DueAt.Equal(noon.Add(30*time.Second)) || ev.CallbackURL != o.CallbackURL || ev.Caller != "shop" {
		t.Fatalf("event %+v", ev)
	}
	status := 503
	response := &topup.TryResponse{Headers: map[string]string{"server": "nginx"}, Body: "línea 1\n\"línea 2\"]"}
	must(t, s.RecordTry(t.Context(), *ev, topup.Try{At: noon, Status: &status, DurationMS: 12, Response: response},
		topup.EventPending, noon.Add(time.Minute)))
	ev.TryCount++
	must(t, s.RecordTry(t.Context(), *ev, topup.Try{At: noon, Error: "connection \"refused\"\x00", DurationMS: 3},
		topup.EventPending, noon.Add(time.Hour)))

	d, err := s.Details(t.Context(), "A")
	must(t, err)
	http200, http500 := 200, 500
	want := topup.Details{
		Order: o,
		Attempts: []topup.Attempt{
			{Number: 1, StartedAt: noon, FinishedAt: &noon, Outcome: topup.OutcomeUnavailable, HTTPStatus: &http500,
				ResponseCode: "91", ResponseMessage: "Emisor no disponible"},
			{Number: 2, StartedAt: noon, FinishedAt: &noon, Outcome: topup.OutcomeApproved, HTTPStatus: &http200,
				ResponseCode: "00", ResponseMessage: "Aprobado"},
		},
		Events: []topup.Event{{
			ID: ev.ID, Type: "topup.succeeded", Sequence: 1, OrderID: "A", Caller: "shop", State: topup.EventPending,
			Body:     ev.Body,
			TryCount: 2, DueAt: noon.Add(time.Hour), CreatedAt: noon,
			Tries: []topup.Try{{At: noon, Status: &status, DurationMS: 12, Response: response},
				{At: noon, Error: "connection \"refused\"\uFFFD", DurationMS: 3}},
		}},
		Resolutions: []topup.Resolution{}, Corrections: []topup.Correction{}, Disputes: []topup.Dispute{},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	if o.State != topup.StateSucceeded || o.BalanceAfter.String() != "990.00" || o.AuthCode != "ABC123" ||
		o.FinishedAt == nil || o.NextAttemptAt != nil {
		t.Errorf("%+v", o)
	}
	everyFieldIsStored(t, d.Order)
	one, err := s.Event(t.Context(), ev.ID)
	must(t, err)
	if diff := cmp.Diff(want.Events[0], one); diff != "" {
		t.Error(diff)
	}
	for _, id := range []string{"", "evt_", "evt_00000000-0000-0000-0000-000000000000", strings.ToUpper(ev.ID),
		ev.ID[4:]} {
		if _, err := s.Event(t.Context(), id); !errors.Is(err, topup.ErrNotFound) {
			t.Errorf("event %q: %v", id, err)
		}
	}
	if _, err := s.Details(t.Context(), "B"); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("details of no order: %v", err)
	}
	must(t, s.Ping(t.Context()))
}

// everyFieldIsStored: each field of an order that succeeded was read back with a value, but for those that this one
// does not have.
func everyFieldIsStored(t *testing.T, o topup.Order) {
	t.Helper()
	v, empty := reflect.ValueOf(o), []string{"Reason", "ProcessAt", "ExpiresAt", "NextAttemptAt", "WaitsFor",
		"DisputedAt", "EndsAt", "CallbackURL", "Released", "Unclaimed", "Conclusion"}
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && !slices.Contains(empty, name) {
			t.Errorf("%s was not read back: is it stored?", name)
		}
	}
}

// operation is one way to change an order, by the names of topup.Transitions.
type operation struct {
	by topup.Operation
	to topup.State
	do func(store, *testing.T, topup.Order) (topup.Order, *topup.Event, error)
}

func operations() []operation {
	ops := []operation{
		{topup.OpBegin, topup.StateSubmitting, func(s store, t *testing.T, o topup.Order) (topup.Order, *topup.Event,
			error) {
			o, err := s.Begin(t.Context(), o.ID, o.AttemptCount, workerName, noon.Add(time.Minute), noon)
			return o, nil, err
		}},
		{topup.OpEnd, topup.StateFailed, func(s store, t *testing.T, o topup.Order) (topup.Order, *topup.Event, error) {
			return s.End(t.Context(), o.ID, timeIsUp)
		}},
		{topup.OpCorrect, topup.StateSucceeded, correction(topup.ResolvedSucceeded)},
		{topup.OpCorrect, topup.StateFailed, correction(topup.ResolvedFailed)},
		{topup.OpCancel, topup.StateCanceled, func(s store, t *testing.T, o topup.Order) (topup.Order, *topup.Event, error) {
			return s.Cancel(t.Context(), o.ID, "shop", noon)
		}},
		{topup.OpHold, topup.StateUnknown, func(s store, t *testing.T, o topup.Order) (topup.Order, *topup.Event, error) {
			return s.Hold(t.Context(), o.ID, topup.Hold{Evidence: "line 7: charged", By: "ana"}, noon)
		}},
	}
	for _, to := range []topup.State{topup.StateSucceeded, topup.StateFailed, topup.StateRetrying, topup.StateUnknown} {
		ops = append(ops, operation{topup.OpFinish, to, func(s store, t *testing.T, o topup.Order) (topup.Order,
			*topup.Event, error) {
			return s.Finish(t.Context(), settlement(o, to), noon)
		}})
	}
	return ops
}

func correction(v topup.ResolvedAs) func(store, *testing.T, topup.Order) (topup.Order, *topup.Event, error) {
	return func(s store, t *testing.T, o topup.Order) (topup.Order, *topup.Event, error) {
		return s.Correct(t.Context(), o.ID, topup.Correction{Outcome: v, Reason: "the statement was wrong", By: "ana"}, noon)
	}
}

// testTransitions: what the table of transitions allows happens, with its event; all else is refused
// and changes nothing.
func testTransitions(t *testing.T, s store) {
	done := map[string]bool{}
	for _, f := range topup.StateTable() {
		for _, op := range operations() {
			name := fmt.Sprintf("%s-%s-%s", f.State, op.by, op.to)
			t.Run(name, func(t *testing.T) {
				before := s.inState(t, name, f.State)
				details, err := s.Details(t.Context(), before.ID)
				must(t, err)
				after, ev, err := op.do(s, t, before)
				stored, readErr := s.Details(t.Context(), before.ID)
				must(t, readErr)
				if topup.Allowed(f.State, op.to, op.by) {
					done[fmt.Sprint(f.State, op.by, op.to)] = true
					checkMoved(t, op.by, op.to, after, ev, err, stored)
					return
				}
				checkRefused(t, op, f.State, ev, err)
				if f.State == topup.StateUnknown && op.to == topup.StateUnknown {
					return // more evidence, which testLate looks at
				}
				if diff := cmp.Diff(details, stored); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	for _, tr := range topup.Transitions() {
		elsewhere := []topup.Operation{topup.OpAccept, topup.OpResolve, topup.OpFinishLate, topup.OpRestore}
		doubtful := tr.By == topup.OpEnd && tr.To == topup.StateUnknown // testDoubt
		if !doubtful && !slices.Contains(elsewhere, tr.By) && !done[fmt.Sprint(tr.From, tr.By, tr.To)] {
			t.Errorf("%v was not tried", tr)
		}
	}
}

func checkMoved(
	t *testing.T, by topup.Operation, to topup.State, o topup.Order, ev *topup.Event, err error, stored topup.Details,
) {
	t.Helper()
	must(t, err)
	if diff := cmp.Diff(stored.Order, o); diff != "" || o.State != to || (o.FinishedAt != nil) != to.Final() {
		t.Errorf("state %s, finished at %v; stored otherwise: %s", o.State, o.FinishedAt, diff)
	}
	notified := topup.EventTypeOf(to)
	if by == topup.OpCorrect {
		notified = topup.EventCorrected
	}
	if (ev != nil) != (notified != "") {
		t.Fatalf("event %v in state %s", ev, to)
	}
	if ev != nil && (ev.Type != notified || ev.Sequence != len(stored.Events) ||
		stored.Events[ev.Sequence-1].ID != ev.ID) {
		t.Errorf("event %+v, stored %+v", ev, stored.Events)
	}
}

func checkRefused(t *testing.T, op operation, state topup.State, ev *topup.Event, err error) {
	t.Helper()
	want := "lost"
	switch {
	case op.by == topup.OpHold:
		want = "refused"
	case op.by == topup.OpCancel && state == topup.StateCanceled, op.to == topup.StateUnknown &&
		state == topup.StateUnknown:
		want = "ok"
	case op.by == topup.OpCancel, op.by == topup.OpCorrect:
		want = "refused"
	}
	if kind(err) != want || ev != nil {
		t.Errorf("event %v, error %v; want %s", ev, err, want)
	}
}

func testIncoherent(t *testing.T, s store) {
	o := s.inState(t, "A", topup.StateSubmitting)
	change := func(to topup.State, f func(*topup.Settlement)) topup.Settlement {
		out := settlement(o, to)
		f(&out)
		return out
	}
	cases := map[string]topup.Settlement{
		"succeeded, not approved": change(topup.StateSucceeded,
			func(s *topup.Settlement) { s.Result.Outcome = topup.OutcomeUnavailable }),
		"failed, approved": change(topup.StateFailed,
			func(s *topup.Settlement) { s.Result.Outcome = topup.OutcomeApproved }),
		"failed, unknown": change(topup.StateFailed,
			func(s *topup.Settlement) { s.Result.Outcome = topup.OutcomeUnknown }),
		"failed, no outcome": change(topup.StateFailed, func(s *topup.Settlement) { s.Result.Outcome = "" }),
		"failed, no reason":  change(topup.StateFailed, func(s *topup.Settlement) { s.Reason = "" }),
		"retrying, approved": change(topup.StateRetrying,
			func(s *topup.Settlement) { s.Result.Outcome = topup.OutcomeApproved }),
		"unknown, unavailable": change(topup.StateUnknown,
			func(s *topup.Settlement) { s.Result.Outcome = topup.OutcomeUnavailable }),
		"unknown with a next time": change(topup.StateUnknown, func(s *topup.Settlement) { s.NextAttemptAt = &noon }),
		"canceled":                 change(topup.StateUnknown, func(s *topup.Settlement) { s.State = topup.StateCanceled }),
		"queued":                   change(topup.StateUnknown, func(s *topup.Settlement) { s.State = topup.StateQueued }),
	}
	for name, c := range cases {
		if _, _, err := s.Finish(t.Context(), c, noon); kind(err) != "refused" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := s.Order(t.Context(), "A"); err != nil || got.State != topup.StateSubmitting {
		t.Errorf("%s, %v", got.State, err)
	}
	none := settlement(o, topup.StateUnknown)
	none.Result = topup.Result{}
	s.finish(t, none)
	if d, err := s.Details(t.Context(), "A"); err != nil || d.Attempts[0].Outcome != topup.OutcomeUnknown {
		t.Errorf("no outcome at all is recorded as %+v, %v", d.Attempts, err)
	}
}

func testLate(t *testing.T, s store) {
	o := s.inState(t, "A", topup.StateUnknown)
	given := settlement(o, topup.StateUnknown)
	given.Result = topup.Result{Outcome: topup.OutcomeUnknown, Error: "deadline passed"}
	later := noon.Add(time.Hour)
	for range 2 { // the second adds nothing
		if got, ev, err := s.Finish(t.Context(), given, later); err != nil || ev != nil || !cmp.Equal(got, o) {
			t.Errorf("more evidence: %v, %v, %s", ev, err, cmp.Diff(o, got))
		}
	}
	d, err := s.Details(t.Context(), "A")
	must(t, err)
	want := topup.Attempt{
		Number: 1, StartedAt: noon, FinishedAt: &noon, Outcome: topup.OutcomeUnknown,
		Error: "connection reset; deadline passed", Evidence: "request written, no answer",
	}
	if diff := cmp.Diff(want, d.Attempts[0]); diff != "" {
		t.Error(diff)
	}
	o, ev := s.finish(t, settlement(o, topup.StateSucceeded))
	if o.State != topup.StateSucceeded || ev.Sequence != 2 {
		t.Errorf("%s, event %+v", o.State, ev)
	}
	if _, _, err := s.Finish(t.Context(), settlement(o, topup.StateFailed), noon); !errors.Is(err, topup.ErrLost) {
		t.Errorf("a second late answer: %v", err)
	}
	nobody := settlement(o, topup.StateFailed)
	nobody.Number = 7
	if _, _, err := s.Finish(t.Context(), nobody, noon); !errors.Is(err, topup.ErrLost) {
		t.Errorf("the result of no attempt: %v", err)
	}
}

// testDoubt: while an attempt may have moved money, neither the clock nor the caller ends the order,
// although it waits for another attempt; a late answer that proves that none moved frees it.
func testDoubt(t *testing.T, s store) {
	cases := []struct {
		name   string
		late   topup.State // whose settlement comes late; "" for none
		cancel string
	}{
		{"unknown", "", "refused"},
		{"unknown-again", topup.StateUnknown, "refused"},
		{"late-not-charged", topup.StateFailed, "ok"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			first := s.inState(t, c.name, topup.StateSubmitting)
			o, ev := s.finish(t, resent(first))
			if o.State != topup.StateRetrying || ev != nil {
				t.Fatalf("resent: %s, %v", o.State, ev)
			}
			if c.late != "" {
				if _, _, err := s.Finish(t.Context(), settlement(first, c.late), noon); !errors.Is(err, topup.ErrLost) {
					t.Errorf("late answer: %v", err)
				}
				d, err := s.Details(t.Context(), o.ID)
				must(t, err)
				if want := settlement(first, c.late).Result.Outcome; d.Attempts[0].Outcome != want ||
					d.State != topup.StateRetrying {
					t.Errorf("%s, attempt %s; want %s", d.State, d.Attempts[0].Outcome, want)
				}
			}
			if _, _, err := s.End(t.Context(), o.ID, timeIsUp.Add(-limits.Untried)); !errors.Is(err, topup.ErrLost) {
				t.Errorf("ended although its time is not over: %v", err)
			}
			if _, _, err := s.Cancel(t.Context(), o.ID, "shop", noon); kind(err) != c.cancel {
				t.Errorf("cancel: %v, want %s", err, c.cancel)
			}
			if c.cancel == "ok" {
				return
			}
			if _, err := s.Begin(t.Context(), o.ID, 1, workerName, timeIsUp, timeIsUp); kind(err) != "lost" {
				t.Errorf("begun although its time is over: %v", err)
			}
			if o, ev, err := s.End(t.Context(), o.ID, timeIsUp); err != nil || o.State != topup.StateUnknown || ev == nil ||
				o.FinishedAt != nil {
				t.Errorf("its time is over, and it is %s with event %v, %v", o.State, ev, err)
			}
		})
	}
	// A decline of the second attempt proves nothing of the first; an answer to the first does.
	for name, late := range map[string]topup.State{"both-declined": topup.StateFailed,
		"charged-after-all": topup.StateSucceeded} {
		first := s.inState(t, name, topup.StateSubmitting)
		second, _ := s.finish(t, resent(first))
		held, ev := s.finish(t, settlement(s.begin(t, second), topup.StateFailed))
		if held.State != topup.StateUnknown || held.Reason != "" || held.FinishedAt != nil || ev == nil {
			t.Errorf("%s: declined with a doubt: %+v, event %v", name, held, ev)
		}
		if o, ev := s.finish(t, settlement(first, late)); o.State != late || ev == nil || o.FinishedAt == nil {
			t.Errorf("%s: a late answer to the first makes it %s, event %v", name, o.State, ev)
		}
	}
	// Two attempts in doubt: an answer to the first is no answer to the second, and sends nothing again.
	for id, answers := range map[topup.ID][]topup.State{
		"both": {topup.StateUnknown, topup.StateFailed}, "both-unavailable": {topup.StateRetrying},
	} {
		first := s.inState(t, string(id), topup.StateSubmitting)
		second, _ := s.finish(t, resent(first))
		held, _ := s.finish(t, settlement(s.begin(t, second), topup.StateUnknown))
		for _, late := range answers {
			if _, _, err := s.Finish(t.Context(), settlement(first, late), noon); !errors.Is(err, topup.ErrLost) {
				t.Errorf("%s: late answer to the first of two: %v", id, err)
			}
			if o, err := s.Order(t.Context(), id); err != nil || !cmp.Equal(o, held) {
				t.Errorf("%s: %v, %s", id, err, cmp.Diff(held, o))
			}
		}
	}
	// And an answer to the second is none to the first: the order is unknown before and after it, and its caller need not
	// be notified of that again.
	first := s.inState(t, "second-of-two", topup.StateSubmitting)
	again, _ := s.finish(t, resent(first))
	second := s.begin(t, again)
	s.finish(t, settlement(second, topup.StateUnknown))
	if o, ev := s.finish(t, settlement(second, topup.StateFailed)); o.State != topup.StateUnknown || ev != nil {
		t.Errorf("declined while the first is in doubt: %s, event %v", o.State, ev)
	}
	if d, err := s.Details(t.Context(), first.ID); err != nil || len(d.Events) != 1 {
		t.Errorf("the caller is notified of an unknown order by %d events, %v", len(d.Events), err)
	}
	if o, ev := s.finish(t, settlement(first, topup.StateFailed)); o.State != topup.StateFailed || ev == nil {
		t.Errorf("both declined: %s, event %v", o.State, ev)
	}
	// The table itself refuses a doubt forgotten.
	for _, state := range []string{"failed", "canceled"} {
		if _, err := s.db.Exec("UPDATE orders SET state = '" + state + "', finished_at = 1 WHERE id = 'both'"); err == nil {
			t.Errorf("an order in doubt can be called %s", state)
		}
	}
	if _, _, err := s.Cancel(t.Context(), "unknown", "another shop", noon); kind(err) != "not found" {
		t.Errorf("cancel by another caller: %v", err)
	}
	if _, _, err := s.Cancel(t.Context(), "nothing", "", noon); kind(err) != "not found" {
		t.Errorf("cancel of no order: %v", err)
	}
}

// refused is an order whose event the database does not take, once s.sql.refuse was run.
func (s store) refused(t *testing.T, id string) topup.Order {
	t.Helper()
	r := request(id)
	r.Product = "MOVISTAR_PAQUETE_16"
	o, _, err := s.Accept(t.Context(), r, noon)
	must(t, err)
	return s.begin(t, o)
}

func testAtomic(t *testing.T, s store) {
	s.exec(t, s.sql.refuse...)
	o := s.refused(t, "A")
	before, err := s.Details(t.Context(), "A")
	must(t, err)
	if _, _, err := s.Finish(t.Context(), settlement(o, topup.StateSucceeded), noon); err == nil ||
		!strings.Contains(err.Error(), "refused by the test") {
		t.Errorf("finish: %v", err)
	}
	after, err := s.Details(t.Context(), "A")
	must(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if counts, err := s.CountByState(t.Context()); err != nil ||
		!maps.Equal(counts, map[topup.State]int64{topup.StateSubmitting: 1}) {
		t.Errorf("%v, %v", counts, err)
	}
}

// testNeighbours: operations that share a transaction with one that breaks it all succeed.
func testNeighbours(t *testing.T, s store) {
	s.exec(t, s.sql.refuse...)
	const n = 40
	orders := make([]topup.Order, n)
	for i := range orders {
		if i%8 == 0 {
			orders[i] = s.refused(t, fmt.Sprintf("bad-%d", i))
		} else {
			orders[i] = s.inState(t, fmt.Sprintf("good-%d", i), topup.StateSubmitting)
		}
	}
	release := s.blocked(t)
	var all sync.WaitGroup
	all.Go(func() {
		each(n, func(i int) {
			_, _, err := s.Finish(t.Context(), settlement(orders[i], topup.StateSucceeded), noon)
			if bad := strings.HasPrefix(string(orders[i].ID), "bad"); bad != (err != nil) {
				t.Errorf("%s: %v", orders[i].ID, err)
			}
		})
	})
	release()
	all.Wait()
	counts, err := s.CountByState(t.Context())
	must(t, err)
	if want := (map[topup.State]int64{topup.StateSubmitting: 5, topup.StateSucceeded: 35}); !maps.Equal(counts, want) {
		t.Errorf("%v, want %v", counts, want)
	}
}

// testSideBySide: operations of all kinds, some of which come too late, wait for the same commit, and each is
// answered as if it were alone.
func testSideBySide(t *testing.T, s store) {
	ctx, later := t.Context(), noon.Add(time.Minute)
	accept := func(amount topup.Amount) func(topup.Order) error {
		return func(o topup.Order) error {
			r := request(string(o.ID))
			r.Amount = amount
			_, _, err := s.Accept(ctx, r, noon)
			return err
		}
	}
	begin := func(attempts int) func(topup.Order) error {
		return func(o topup.Order) error {
			_, err := s.BeginFirst(ctx, o.ID, workerName, later, noon)
			if attempts > 0 {
				_, err = s.Begin(ctx, o.ID, attempts, workerName, later, noon)
			}
			return err
		}
	}
	finish := func(number int) func(topup.Order) error {
		return func(o topup.Order) error {
			o.AttemptCount = number
			_, ev, err := s.Finish(ctx, settlement(o, topup.StateSucceeded), noon)
			if err == nil {
				err = s.RecordTry(ctx, *ev, topup.Try{At: noon}, topup.EventDelivered, time.Time{})
			}
			return err
		}
	}
	amount := request("").Amount
	cases := []struct {
		name        string
		from        topup.State
		do          func(topup.Order) error
		answer, now string
	}{
		{"new", "", accept(amount), "ok", "queued"},
		{"repeated", topup.StateRetrying, accept(amount), "ok", "retrying"},
		{"taken", topup.StateSucceeded, accept(amount + 1), "conflict", "succeeded"},
		{"begun", topup.StateQueued, begin(0), "ok", "submitting"},
		{"begun again", topup.StateRetrying, begin(1), "ok", "submitting"},
		{"begun too late", topup.StateSubmitting, begin(0), "lost", "submitting"},
		{"finished", topup.StateSubmitting, finish(1), "ok", "succeeded"},
		{"finished late", topup.StateUnknown, finish(1), "ok", "succeeded"},
		{"finished twice", topup.StateFailed, finish(1), "lost", "failed"},
		{"finished for another attempt", topup.StateSubmitting, finish(2), "lost", "submitting"},
	}
	const copies = 8
	orders := make([]topup.Order, copies*len(cases))
	for i := range orders {
		orders[i].ID = topup.ID(fmt.Sprintf("ORD-%d", i))
		if from := cases[i%len(cases)].from; from != "" {
			orders[i] = s.inState(t, string(orders[i].ID), from)
		}
	}
	release := s.blocked(t)
	var all sync.WaitGroup
	all.Go(func() {
		each(len(orders), func(i int) {
			c := cases[i%len(cases)]
			if got := kind(c.do(orders[i])); got != c.answer {
				t.Errorf("%s: %s, want %s", c.name, got, c.answer)
			}
		})
	})
	release()
	all.Wait()
	for i, o := range orders {
		c := cases[i%len(cases)]
		d, err := s.Details(ctx, o.ID)
		must(t, err)
		if string(d.State) != c.now || len(d.Attempts) != d.AttemptCount {
			t.Errorf("%s: %s with %d attempts of %d, want %s", c.name, d.State, len(d.Attempts), d.AttemptCount, c.now)
		}
		for _, ev := range d.Events {
			if delivered := ev.DeliveredAt != nil; delivered != (c.answer == "ok" &&
				ev.Type == topup.EventTypeOf(topup.StateSucceeded)) {
				t.Errorf("%s: %s is delivered: %t", c.name, ev.Type, delivered)
			}
		}
	}
}

func testGroups(t *testing.T, s store) {
	const n = 500
	lifecycles(t, s.Journal, n, 50, new(noLock))
	made, operations, largest := s.commits.made.Load(), s.commits.operations.Load(), s.commits.largest.Load()
	if operations != 4*n || made > operations/2 || largest < 2 {
		t.Errorf("%d commits of %d operations, %d at most, after %d writes", made, operations, largest, 4*n)
	}
	if counts, err := s.CountByState(t.Context()); err != nil ||
		!maps.Equal(counts, map[topup.State]int64{topup.StateSucceeded: n}) {
		t.Errorf("%v, %v", counts, err)
	}
}

// testContext: a caller that leaves while its write waits has not written; one whose write has begun
// learns what became of it.
func testContext(t *testing.T, s store) {
	ended, end := context.WithCancel(t.Context())
	end()
	if _, _, err := s.Accept(ended, request("never"), noon); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	release := s.blocked(t)
	parent, leave := context.WithCancel(t.Context())
	ctx := &watched{Context: parent}
	type answer struct {
		id  string
		err error
	}
	answers := make(chan answer, 257) // one more than a batch takes at most, so that one waits for its turn
	for i := range cap(answers) {
		go func() {
			id := fmt.Sprintf("A-%d", i)
			_, _, err := s.Accept(ctx, request(id), noon)
			answers <- answer{id, err}
		}()
	}
	eventually(t, "every write waits", func() bool { return ctx.waits.Load() == 2*int64(cap(answers)) })
	leave()
	early := <-answers // while nothing can be written, only one that was withdrawn
	if !errors.Is(early.err, context.Canceled) {
		t.Errorf("%s is answered %v", early.id, early.err)
	}
	release()
	answers <- early
	var all []answer
	for range cap(answers) {
		all = append(all, <-answers)
	}
	must(t, s.Close()) // after which nothing is written any more
	if _, _, err := s.Accept(t.Context(), request("later"), noon); err == nil {
		t.Error("a closed journal accepts")
	}
	reopened := open(t, s.url)
	for _, a := range all {
		_, err := reopened.Order(t.Context(), topup.ID(a.id))
		switch {
		case a.err == nil && err == nil:
		case errors.Is(a.err, context.Canceled) && errors.Is(err, topup.ErrNotFound):
		default:
			t.Errorf("%s was answered %v, and is %v", a.id, a.err, err)
		}
	}
}

// watched counts the waits that its end would end. A write waits twice: for its place in the queue,
// and in it.
type watched struct {
	context.Context
	waits atomic.Int64
}

func (w *watched) Done() <-chan struct{} {
	w.waits.Add(1)
	return w.Context.Done()
}

func testList(t *testing.T, s store) {
	ids := func(f search.Filter) string {
		t.Helper()
		orders, next, err := s.List(t.Context(), f)
		must(t, err)
		var out []string
		for _, o := range orders {
			out = append(out, string(o.ID))
		}
		if next != "" {
			out = append(out, "…")
		}
		return strings.Join(out, " ")
	}
	place := func(id, caller string, phone topup.Phone, product string, minutes int) {
		r := request(id)
		r.Caller, r.Phone, r.Product = caller, phone, product
		_, _, err := s.Accept(t.Context(), r, noon.Add(time.Duration(minutes)*time.Minute))
		must(t, err)
	}
	place("A", "shop", "5537686660", "MOVISTAR_TAE", 0)
	place("B", "kiosk", "5537686660", "MOVISTAR_TAE", 1)
	place("C", "shop", "5537686661", "MOVISTAR_PAQUETE_16", 2)
	place("D", "shop", "5537686660", "MOVISTAR_PAQUETE_16", 2) // the same moment as C
	_, _, err := s.Cancel(t.Context(), "A", "", noon)
	must(t, err)
	place("F", "kiosk", "5537686662", "MOVISTAR_TAE", -1)
	failing, err := s.Begin(t.Context(), "F", 0, workerName, noon.Add(time.Minute), noon)
	must(t, err)
	s.finish(t, settlement(failing, topup.StateFailed))
	noted := map[string]string{"cart": "62", "long": strings.Repeat("é", 300), "": "none"}
	for i, id := range []topup.ID{"G", "H"} {
		_, _, err := s.Accept(t.Context(), topup.Request{ID: id, Caller: []string{"shop", "kiosk"}[i], Phone: "5537686663",
			Product: "MOVISTAR_TAE", Amount: topup.Pesos(10), Metadata: noted}, noon.Add(time.Duration(i-3)*time.Minute))
		must(t, err)
	}
	_, err = s.HoldBack(t.Context(), "G", noon)
	must(t, err)
	_, _, err = s.Cancel(t.Context(), "H", "", noon)
	must(t, err)
	cases := []struct {
		f    search.Filter
		want string
	}{
		{search.Filter{}, "D C B A F H G"},
		{search.Filter{Limit: 2}, "D C …"},
		{search.Filter{Limit: 7}, "D C B A F H G"},
		{search.Filter{Caller: "shop"}, "D C A G"},
		{search.Filter{Caller: "nobody"}, ""},
		{search.Filter{State: topup.StateQueued}, "D C B G"},
		{search.Filter{State: topup.StateCanceled}, "A H"},
		{search.Filter{Phone: "5537686660"}, "D B A"},
		{search.Filter{Product: "MOVISTAR_PAQUETE_16"}, "D C"},
		{search.Filter{Since: noon.Add(time.Minute)}, "D C B"},
		{search.Filter{Until: noon.Add(time.Minute)}, "A F H G"},
		{search.Filter{Caller: "shop", State: topup.StateQueued, Phone: "5537686660", Product: "MOVISTAR_PAQUETE_16",
			Since: noon, Until: noon.Add(time.Hour), Limit: 1}, "D"},
		{search.Filter{Code: "51"}, "F"},
		{search.Filter{Code: "91"}, ""},
		{search.Filter{Code: "51", Caller: "kiosk", Reason: topup.ReasonDeclined, State: topup.StateFailed}, "F"},
		{search.Filter{Code: "51", Caller: "shop"}, ""},
		{search.Filter{Reason: topup.ReasonDeclined, Phone: "5537686662"}, "F"},
		{search.Filter{Reason: topup.ReasonExpired}, ""},
		{search.Filter{Reason: topup.ReasonDeclined, State: topup.StateCanceled}, ""},
		{search.Filter{Metadata: search.Label{Name: "cart", Value: "62"}}, "H G"},
		{search.Filter{Metadata: search.Label{Name: "cart", Value: "62"}, Limit: 1}, "H …"},
		{search.Filter{Metadata: search.Label{Name: "cart", Value: "62"}, Caller: "kiosk", Since: noon.Add(-3 * time.Minute)},
			"H"},
		{search.Filter{Metadata: search.Label{Name: "cart", Value: "62"}, State: topup.StateQueued}, "G"},
		{search.Filter{Metadata: search.Label{Name: "cart", Value: "62"}, State: topup.StateCanceled}, "H"},
		{search.Filter{Metadata: search.Label{Name: "cart", Value: "62"}, Phone: "5537686663"}, "H G"},
		{search.Filter{Metadata: search.Label{Name: "cart", Value: "6"}}, ""},
		{search.Filter{Metadata: search.Label{Name: "cart", Value: "62"}, WaitsFor: topup.WaitOperator}, "G"},
		{search.Filter{WaitsFor: topup.WaitOperator}, "G"},
		{search.Filter{WaitsFor: topup.WaitOperator, Caller: "shop", State: topup.StateQueued}, "G"},
		{search.Filter{WaitsFor: topup.WaitRate}, ""},
	}
	for _, c := range cases {
		if got := ids(c.f); got != c.want {
			t.Errorf("%+v: %s; want %s", c.f, got, c.want)
		}
	}
	for _, cursor := range []string{"x", "!", "MQ", "MS4yLjM", "LTEuMng", "MDEuMg"} {
		_, _, err := s.List(t.Context(), search.Filter{Cursor: cursor})
		if fields := topup.FieldErrors(err); len(fields) != 1 || fields[0].Field != "cursor" {
			t.Errorf("cursor %s: %v", cursor, err)
		}
	}
}

// testPages: every order that was there before the first page is on exactly one page.
func testPages(t *testing.T, s store) {
	const n = 30
	for i := range n {
		_, _, err := s.Accept(t.Context(), request(fmt.Sprintf("old-%d", i)), noon.Add(time.Duration(i/4)*time.Second))
		must(t, err)
	}
	seen := map[topup.ID]int{}
	var last time.Time
	for f := (search.Filter{Limit: 4}); ; {
		page, next, err := s.List(t.Context(), f)
		must(t, err)
		for _, o := range page {
			if seen[o.ID]++; !last.IsZero() && o.CreatedAt.After(last) {
				t.Errorf("%s is newer than the one before it", o.ID)
			}
			last = o.CreatedAt
		}
		if next == "" {
			break
		}
		f.Cursor = next
		_, _, err = s.Accept(t.Context(), request(fmt.Sprintf("new-%d", len(seen))), noon.Add(time.Hour))
		must(t, err)
	}
	for id, times := range seen {
		if !strings.HasPrefix(string(id), "old-") || times != 1 {
			t.Errorf("%s was seen %d times", id, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d orders were seen, want %d", len(seen), n)
	}
}

func testDue(t *testing.T, s store) {
	at, soon := noon.Add(time.Hour), noon.Add(time.Second)
	later, expiring := request("later"), request("expiring")
	later.ProcessAt = &at
	expiring.ProcessAt, expiring.ExpiresAt = &at, &soon
	for _, r := range []topup.Request{request("B"), request("A"), later, expiring} {
		_, _, err := s.Accept(t.Context(), r, noon)
		must(t, err)
	}
	s.inState(t, "attempt", topup.StateSubmitting) // until noon + 1 m
	waiting := s.inState(t, "waiting", topup.StateRetrying)
	s.inState(t, "done", topup.StateSucceeded)
	s.inState(t, "held", topup.StateUnknown)

	due := func(now time.Time, after topup.Due, limit int) (out []topup.Due) {
		t.Helper()
		out, err := s.Due(t.Context(), now, after, limit)
		must(t, err)
		return out
	}
	names := func(list []topup.Due) (out []topup.ID) {
		for _, d := range list {
			out = append(out, d.ID)
		}
		return out
	}
	all := []topup.ID{"A", "B", "expiring", "attempt", "waiting", "later"}
	if got := names(due(at, topup.Due{}, 10)); !slices.Equal(got, all) {
		t.Errorf("due: %v, want %v", got, all)
	}
	if got := due(noon.Add(-time.Microsecond), topup.Due{}, 10); len(got) != 0 {
		t.Errorf("due too early: %v", got)
	}
	var paged []topup.ID
	for page := due(at, topup.Due{}, 1); len(page) > 0; page = due(at, page[0], 1) {
		paged = append(paged, page[0].ID)
	}
	if !slices.Equal(paged, all) {
		t.Errorf("page by page: %v, want %v", paged, all)
	}
	want := []topup.Due{{ID: "attempt", State: topup.StateSubmitting, AttemptCount: 1, DueAt: noon.Add(time.Minute)}}
	overdue, err := s.Overdue(t.Context(), at, 10)
	must(t, err)
	if diff := cmp.Diff(want, overdue); diff != "" {
		t.Error(diff)
	}
	if early, err := s.Overdue(t.Context(), noon, 10); err != nil || len(early) != 0 {
		t.Errorf("overdue too early: %v, %v", early, err)
	}
	if waiting.AttemptCount != 1 || due(at, topup.Due{DueAt: noon.Add(time.Minute), ID: "attempt"},
		1)[0].AttemptCount != 1 {
		t.Error("a waiting order's attempts are miscounted")
	}
}

func testDeliveries(t *testing.T, s store) {
	var events []topup.Event
	for _, id := range []string{"A", "B", "C"} {
		o, ev := s.finish(t, settlement(s.inState(t, id, topup.StateSubmitting), topup.StateFailed))
		if o.State != topup.StateFailed {
			t.Fatal(o.State)
		}
		events = append(events, *ev)
	}
	due := func(now time.Time) (out []string) {
		t.Helper()
		for after := (topup.DueEvent{}); ; {
			page, err := s.DueEvents(t.Context(), now, after, 1)
			must(t, err)
			if len(page) == 0 {
				return out
			}
			after = page[0]
			out = append(out, after.ID)
		}
	}
	if got := due(noon); got != nil {
		t.Errorf("due within the grace of a first try: %v", got)
	}
	if got, want := due(noon.Add(30*time.Second)), []string{events[0].ID, events[1].ID, events[2].ID}; !slices.Equal(got,
		want) {
		t.Errorf("due: %v, want %v", got, want)
	}
	status := 204
	try := topup.Try{At: noon, Status: &status, DurationMS: 1500}
	var won atomic.Int64
	each(20, func(int) {
		err := s.RecordTry(t.Context(), events[2], try, topup.EventPending, noon.Add(time.Hour))
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, topup.ErrLost) {
			t.Error(err)
		}
	})
	must(t, s.RecordTry(t.Context(), events[1], try, topup.EventExhausted, noon))
	must(t, s.RecordTry(t.Context(), events[0], try, topup.EventDelivered, time.Time{}))
	delivered, err := s.Event(t.Context(), events[0].ID)
	must(t, err)
	at := noon.Add(1500 * time.Millisecond)
	if won.Load() != 1 || delivered.TryCount != 1 || len(delivered.Tries) != 1 ||
		!cmp.Equal(delivered.DeliveredAt, &at) || !delivered.DueAt.IsZero() {
		t.Errorf("%d of 20 won; %+v", won.Load(), delivered)
	}
	for i, ev := range events {
		want := []topup.EventState{topup.EventDelivered, topup.EventExhausted, topup.EventPending}[i]
		ev.TryCount = 1
		if got, err := s.Event(t.Context(), ev.ID); err != nil || got.State != want || len(got.Tries) != 1 {
			t.Errorf("event %d is %s with %d tries, %v", i, got.State, len(got.Tries), err)
		}
		if err := s.RecordTry(t.Context(), ev, try, topup.EventPending, noon); want != topup.EventPending &&
			!errors.Is(err, topup.ErrLost) {
			t.Errorf("a try of an event that is %s: %v", want, err)
		}
	}
	if err := s.RecordTry(t.Context(), topup.Event{ID: "evt_x"}, try, topup.EventDelivered, noon); !errors.Is(err,
		topup.ErrNotFound) {
		t.Errorf("a try of no event: %v", err)
	}
}

// testTwoJournals: api and worker may be two processes. Both get their turn, and one wins.
func testTwoJournals(t *testing.T, s store) {
	other := open(t, s.url)
	var won atomic.Int64
	each(2, func(i int) {
		j := []*journal.Journal{s.Journal, other}[i]
		for n := range 100 {
			id := fmt.Sprintf("A-%d", n)
			_, _, err := j.Accept(t.Context(), request(id), noon)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = j.Begin(t.Context(), topup.ID(id), 0, workerName, noon, noon)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, topup.ErrLost) {
				t.Error(err)
				return
			}
		}
	})
	if won.Load() != 100 {
		t.Errorf("100 attempts were begun %d times", won.Load())
	}
}

func testNewerDatabase(t *testing.T, s store) {
	s.exec(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)")
	j, err := journal.Open(t.Context(), s.url)
	if err == nil {
		must(t, j.Close())
	}
	if err == nil || !strings.Contains(err.Error(), "version 999") {
		t.Errorf("open: %v", err)
	}
}

// waitFor is how long a test waits for what takes milliseconds.
const waitFor = 20 * time.Second

func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	testkit.Eventually(tb, waitFor, cond, "%s", what)
}
