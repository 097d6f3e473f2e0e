package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"recarga/internal/journal"
	"recarga/internal/journal/search"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestLives: random lives of orders, through every operation, contexts that have ended, a database that
// refuses some events, and crashes. testModel says what each operation answers; this says what must be
// true of the book after each of them, whatever it answered.
func TestLives(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s := sqliteStore(t)
		testLives(t, s, func(j *journal.Journal) *journal.Journal { return powerCut(t, &s.url) })
	})
	t.Run("postgres", func(t *testing.T) {
		testkit.Deep(t)
		t.Parallel()
		server := testkit.PostgresOwn(t)
		s := newStore(t, server.URL(), "pgx", server.URL(), postgresStore(t).sql)
		testLives(t, s, func(j *journal.Journal) *journal.Journal {
			server.Kill()
			server.Start()
			must(t, j.Close())
			return open(t, s.url)
		})
	})
}

// powerCut opens what is on the disk, without what the process that is running would still do.
func powerCut(t *testing.T, url *string) *journal.Journal {
	t.Helper()
	path := strings.TrimPrefix(*url, "sqlite:")
	found := filepath.Join(t.TempDir(), "found.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		must(t, err)
		must(t, os.WriteFile(found+suffix, data, 0o600))
	}
	*url = "sqlite:" + found
	return open(t, *url)
}

// lives are the orders of a walk, as the book showed them last.
type lives struct {
	*journal.Journal
	t    *testing.T
	r    *rand.Rand
	now  time.Time
	ids  []topup.ID
	seen map[topup.ID]topup.Details
	// moved are the transitions that happened.
	moved map[topup.Transition]bool
	// seeksLate: the next finish is of an earlier attempt in doubt, if there is one.
	seeksLate bool
	// refuses are the orders whose events the database does not take.
	refuses map[topup.ID]bool
}

// least are the steps of a walk before it seeks the transitions that have not happened yet, and everyCrash are those
// between two crashes.
var least, everyCrash = testkit.Times(100, 500), testkit.Times(50, 250)

func testLives(t *testing.T, s store, crash func(*journal.Journal) *journal.Journal) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s.exec(t, s.sql.refuse...)
	l := &lives{
		Journal: s.Journal, t: t, r: rand.New(rand.NewPCG(seed, 0)), now: noon,
		seen: map[topup.ID]topup.Details{}, moved: map[topup.Transition]bool{}, refuses: map[topup.ID]bool{},
	}
	most, steps := testkit.Times(250, 20_000), 0
	for n := 1; n <= least || n <= most && len(l.missing()) > 0; n++ {
		l.step(n)
		if n%everyCrash == 0 {
			l.Journal = crash(l.Journal)
			l.checkAll()
		}
		if t.Failed() {
			t.FailNow()
		}
		steps = n
	}
	t.Logf("%d steps with %d orders", steps, len(l.ids))
	if missing := l.missing(); testkit.Proving() && len(missing) > 0 {
		t.Errorf("never happened: %q", missing)
	}
}

// missing are the transitions of the table that have not happened yet.
func (l *lives) missing() (all []topup.Transition) {
	for _, tr := range topup.Transitions() {
		if tr.When = ""; !l.moved[tr] {
			all = append(all, tr)
		}
	}
	return all
}

// aim is what can lead to a transition that has not happened yet, if there is anything: what is rare is sought,
// so that no walk is long.
func (l *lives) aim(by topup.Operation, id topup.ID) (topup.Operation, topup.ID) {
	missing := l.missing()
	if len(missing) == 0 {
		return by, id
	}
	aimed := missing[l.r.IntN(len(missing))]
	late := aimed.By == topup.OpFinishLate
	var fit []topup.ID
	for _, id := range l.ids {
		d := l.seen[id]
		if d.State != aimed.From || l.refuses[id] || late && len(d.Attempts) == 0 {
			continue
		}
		if !late || inDoubt(topup.Details{Attempts: d.Attempts[:len(d.Attempts)-1]}) {
			fit = append(fit, id)
		}
	}
	if len(fit) == 0 {
		return by, id
	}
	if l.seeksLate = late; late {
		aimed.By = topup.OpFinish
	}
	return aimed.By, fit[l.r.IntN(len(fit))]
}

// The operations that change no order's state, and so have no name in topup.
const (
	opDefer     topup.Operation = "defer"
	opRelease   topup.Operation = "release"
	opTry       topup.Operation = "record a try"
	opRedeliver topup.Operation = "redeliver"
	opEvidence  topup.Operation = "add evidence"
)

// oftenChosen are what a step does, each as often as it stands here.
var oftenChosen = slices.Concat(
	slices.Repeat([]topup.Operation{topup.OpFinish}, 7), slices.Repeat([]topup.Operation{topup.OpBegin}, 5),
	slices.Repeat([]topup.Operation{topup.OpResolve}, 3), slices.Repeat([]topup.Operation{topup.OpAccept, topup.OpEnd,
		opTry}, 2),
	[]topup.Operation{topup.OpCancel, topup.OpHold, topup.OpCorrect, topup.OpDispute, topup.OpRestore,
		opRedeliver, opEvidence},
)

// step does one operation on one order, and looks at what it did. Now and then its context has ended.
func (l *lives) step(n int) {
	l.now = l.now.Add(time.Duration(1+l.r.IntN(3)) * time.Second)
	ops := map[topup.Operation]func(context.Context, topup.Details) error{
		topup.OpAccept: l.accept, topup.OpBegin: l.begin, topup.OpFinish: l.finish, topup.OpEnd: l.end,
		topup.OpCorrect: l.correct, topup.OpDispute: l.dispute, topup.OpCancel: l.cancel, topup.OpResolve: l.resolve,
		topup.OpHold: l.hold, topup.OpRestore: l.restore, opTry: l.try, opRedeliver: l.redeliver, opEvidence: l.evidence,
	}
	by := oftenChosen[l.r.IntN(len(oftenChosen))]
	id := l.choose(by)
	if n > least && l.r.IntN(2) == 0 {
		by, id = l.aim(by, id)
	}
	before := l.seen[id]
	before.ID = id
	ctx, cancel := context.WithCancel(l.t.Context())
	defer cancel()
	if l.r.IntN(20) == 0 {
		cancel()
	}
	err := ops[by](ctx, before)
	after, readErr := l.Details(l.t.Context(), id)
	if errors.Is(readErr, topup.ErrNotFound) && l.seen[id].State == "" {
		return // it is as new as before
	}
	must(l.t, readErr)
	if ctx.Err() != nil && err == nil {
		l.t.Errorf("%s %s: done although its context had ended", by, id)
	}
	l.check(by, l.seen[id], after, err)
	l.seen[id] = after
}

// choose is one of the last orders, seldom one that cannot get far any more, or a new one for accept.
func (l *lives) choose(by topup.Operation) topup.ID {
	const recent = 12
	if (by == topup.OpAccept || by == topup.OpRestore) && l.r.IntN(4) > 0 || len(l.ids) == 0 {
		id := topup.ID(fmt.Sprintf("LIFE-%d", len(l.ids)))
		l.ids = append(l.ids, id)
		l.refuses[id] = l.r.IntN(8) == 0
		return id
	}
	for again := 0; ; again++ {
		id := l.ids[len(l.ids)-1-l.r.IntN(min(recent, len(l.ids)))]
		if !l.seen[id].State.Final() && !l.refuses[id] || again == 3 {
			return id
		}
	}
}

func (l *lives) accept(ctx context.Context, o topup.Details) error {
	r := request(string(o.ID))
	if l.refuses[o.ID] {
		r.Product = "MOVISTAR_PAQUETE_16"
	}
	switch l.r.IntN(8) {
	case 0:
		r.Amount++ // other content, where the order is there
	case 1:
		_, err := l.AcceptInvalid(ctx, topup.Order{ID: o.ID, Product: r.Product}, "not valid", l.now)
		return err
	}
	_, _, err := l.Accept(ctx, r, l.now)
	return err
}

// attempts is the order's number of attempts, now and then of yesterday.
func (l *lives) attempts(o topup.Details) int { return o.AttemptCount - l.r.IntN(6)/5 }

func (l *lives) begin(ctx context.Context, o topup.Details) error {
	_, err := l.Begin(ctx, o.ID, l.attempts(o), workerName, l.now.Add(time.Duration(l.r.IntN(10))*time.Second), l.now)
	return err
}

func (l *lives) finish(ctx context.Context, o topup.Details) error {
	inQuestion := func(a topup.Attempt) bool { return a.Outcome == topup.OutcomeUnknown }
	if at := slices.IndexFunc(o.Attempts, inQuestion); l.seeksLate && at >= 0 {
		o.AttemptCount = at + 1
	} else if o.AttemptCount > 0 && l.r.IntN(3) == 0 { // late answers are what is looked for
		o.AttemptCount = 1 + l.r.IntN(o.AttemptCount)
	}
	notSent := settlement(o.Order, topup.StateRetrying)
	notSent.Result.Outcome = topup.OutcomeNotSent
	exhausted := settlement(o.Order, topup.StateFailed)
	exhausted.Reason, exhausted.Result.Outcome = topup.ReasonRetriesExhausted, topup.OutcomeUnavailable
	choices := []topup.Settlement{
		settlement(o.Order, topup.StateSucceeded), settlement(o.Order, topup.StateSucceeded),
		settlement(o.Order, topup.StateFailed), exhausted,
		settlement(o.Order, topup.StateRetrying), notSent, resent(o.Order), resent(o.Order), resent(o.Order),
		settlement(o.Order, topup.StateUnknown), settlement(o.Order, topup.StateUnknown),
		settlement(o.Order, topup.StateUnknown),
	}
	choice := choices[l.r.IntN(len(choices))]
	if l.seeksLate {
		choice, l.seeksLate = choices[l.r.IntN(4)], false
	}
	if choice.State == topup.StateSucceeded {
		choice = sale(choice, o.AttemptCount)
	}
	_, _, err := l.Finish(ctx, choice, l.now)
	return err
}

// end comes in time for half of the orders.
func (l *lives) end(ctx context.Context, o topup.Details) error {
	at := l.now
	if l.r.IntN(2) == 0 {
		at = at.Add(limits.Untried)
	}
	_, _, err := l.End(ctx, o.ID, at)
	return err
}

func (l *lives) correct(ctx context.Context, o topup.Details) error {
	decisions := []topup.ResolvedAs{topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend}
	_, _, err := l.Correct(ctx, o.ID, topup.Correction{Outcome: decisions[l.r.IntN(len(decisions))], Reason: "a walk"},
		l.now)
	return err
}

func (l *lives) dispute(ctx context.Context, o topup.Details) error {
	_, err := l.Dispute(ctx, o.ID, topup.Dispute{Evidence: fmt.Sprint("line ", l.r.Uint64()), RaisedBy: "a walk"}, l.now)
	return err
}

func (l *lives) cancel(ctx context.Context, o topup.Details) error {
	_, _, err := l.Cancel(ctx, o.ID, []string{"", "shop", "another"}[l.r.IntN(3)], l.now)
	return err
}

func (l *lives) resolve(ctx context.Context, o topup.Details) error {
	decisions := []topup.ResolvedAs{topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend,
		topup.ResolvedResend, "paid"}
	_, _, err := l.Resolve(ctx, o.ID, topup.Resolution{Outcome: decisions[l.r.IntN(len(decisions))], Reason: "a walk",
		Forced: l.r.IntN(2) == 0}, l.now)
	return err
}

func (l *lives) hold(ctx context.Context, o topup.Details) error {
	_, _, err := l.Hold(ctx, o.ID, topup.Hold{Evidence: "line 7", By: "a walk"}, l.now)
	return err
}

// restore is of the content that accept asks for.
func (l *lives) restore(ctx context.Context, o topup.Details) error {
	c := lostCharge(o.ID)
	c.From, c.Until = l.now, l.now
	_, err := l.Restore(ctx, c, l.now)
	return err
}

func (l *lives) try(ctx context.Context, o topup.Details) error {
	if len(o.Events) == 0 {
		return topup.ErrLost
	}
	ev := o.Events[l.r.IntN(len(o.Events))]
	ev.TryCount -= l.r.IntN(6) / 5
	next := []topup.EventState{topup.EventPending, topup.EventPending, topup.EventDelivered,
		topup.EventExhausted}[l.r.IntN(4)]
	return l.RecordTry(ctx, ev, topup.Try{At: l.now, Error: "refused", DurationMS: 3}, next, l.now.Add(time.Minute))
}

func (l *lives) redeliver(ctx context.Context, o topup.Details) error {
	if len(o.Events) == 0 {
		return topup.ErrLost
	}
	return l.RedeliverWithin(ctx, o.Events[l.r.IntN(len(o.Events))], 0, l.now)
}

func (l *lives) evidence(ctx context.Context, o topup.Details) error {
	return l.AddEvidence(ctx, o.ID, l.attempts(o), "seen")
}

// check is what every operation keeps.
func (l *lives) check(by topup.Operation, before, after topup.Details, err error) {
	l.t.Helper()
	if err != nil && !errors.Is(err, topup.ErrLost) && !cmp.Equal(before, after) {
		l.t.Errorf("%s failed, and changed the order: %v %s", by, err, cmp.Diff(before, after))
	}
	claimed := by == topup.OpAccept && err == nil && before.Unclaimed && !after.Unclaimed
	if claimed {
		l.checkClaim(before, after)
	} else if moved := after.State != before.State || by == topup.OpBegin && err == nil; moved {
		l.checkMove(by, before, after, err)
	} else if len(after.Events) != len(before.Events) {
		l.t.Errorf("%s of %s: %d events without a change of state", by, after.ID, len(after.Events)-len(before.Events))
	}
	if l.isHeld(before) && after.State != before.State && after.State != topup.StateSucceeded && by != topup.OpResolve {
		l.t.Errorf("%s of %s: a statement holds it, and it became %s", by, after.ID, after.State)
	}
	// A final state changes by a correction alone; besides, it may be disputed, by a late approval too.
	was, is := before.Order, after.Order
	if before.State.Final() && len(after.Disputes) > len(before.Disputes) {
		was.UpdatedAt, was.DisputedAt = is.UpdatedAt, is.DisputedAt
	}
	kept := err != nil || before.State.Final() && by != topup.OpCorrect && !claimed
	if kept && before.State != "" && !cmp.Equal(was, is) {
		l.t.Errorf("%s: %v, and the order changed: %s", by, err, cmp.Diff(was, is))
	}
	if is.DisputedAt != nil && !is.State.Final() || (is.State == topup.StateFailed || is.State == topup.StateCanceled) &&
		before.State != is.State && inDoubt(after) && by != topup.OpResolve && by != topup.OpCorrect {
		l.t.Errorf("%s of %s: %s, disputed %v, after attempts %+v", by, after.ID, is.State, is.DisputedAt, after.Attempts)
	}
	if (after.FinishedAt != nil) != after.State.Final() || after.NextAttemptAt != nil &&
		after.State != topup.StateRetrying && after.State != topup.StateQueued {
		l.t.Errorf("%s is %s, finished %v, next attempt %v", after.ID, after.State, after.FinishedAt, after.NextAttemptAt)
	}
	if n := approvals(after); n > 1 && n > approvals(before) && after.DisputedAt == nil {
		l.t.Errorf("%s was bought %d times, and nobody is asked: %+v", after.ID, n, after.Attempts)
	}
	l.checkAttempts(by, before, after)
	l.checkEvents(by, before, after)
}

// checkClaim: what an order is completed by is its content alone, and its caller is notified once.
func (l *lives) checkClaim(before, after topup.Details) {
	l.t.Helper()
	was, is := before.Order, after.Order
	was.Caller, was.Product, was.Operator, was.UpdatedAt, was.Unclaimed = is.Caller, is.Product, is.Operator, is.UpdatedAt,
		false
	if diff := cmp.Diff(was, is); diff != "" || is.Caller == "" || len(after.Events) != len(before.Events)+1 {
		l.t.Errorf("%s was claimed with %d events: %s", after.ID, len(after.Events), diff)
	}
}

// isHeld reports that the latest word on an unknown order is a statement's.
func (*lives) isHeld(d topup.Details) bool {
	n := len(d.Resolutions)
	return d.State == topup.StateUnknown && n > 0 && d.Resolutions[n-1].Outcome == topup.ResolvedHeld
}

func approvals(d topup.Details) (n int) {
	for _, a := range d.Attempts {
		if a.Outcome == topup.OutcomeApproved {
			n++
		}
	}
	return n
}

func inDoubt(d topup.Details) bool {
	return slices.ContainsFunc(d.Attempts, func(a topup.Attempt) bool {
		return a.Outcome == topup.OutcomeUnknown || a.Outcome == topup.OutcomeApproved
	})
}

// checkMove: a change of state is one of the table's, notifies whom it must, and says no wrong word about
// the money.
func (l *lives) checkMove(by topup.Operation, before, after topup.Details, err error) {
	l.t.Helper()
	if by == topup.OpFinish && l.late(before, after) {
		by = topup.OpFinishLate
	}
	name := fmt.Sprintf("%s %s %s", before.State, by, after.State)
	l.moved[topup.Transition{From: before.State, To: after.State, By: by}] = true
	if err != nil || !topup.Allowed(before.State, after.State, by) {
		l.t.Errorf("%s: %s, %v", after.ID, name, err)
	}
	notified := 0
	if topup.EventTypeOf(after.State) != "" && by != topup.OpRestore {
		notified = 1
	}
	if len(after.Events) != len(before.Events)+notified || notified == 1 && l.refuses[after.ID] && !before.Unclaimed {
		l.t.Errorf("%s: %s with %d events after %d", after.ID, name, len(after.Events), len(before.Events))
	}
	approved := slices.ContainsFunc(after.Attempts,
		func(a topup.Attempt) bool { return a.Outcome == topup.OutcomeApproved })
	if after.State == topup.StateSucceeded && !approved && by != topup.OpResolve && by != topup.OpCorrect &&
		by != topup.OpRestore {
		l.t.Errorf("%s: %s after attempts %+v", after.ID, name, after.Attempts)
	}
	decided := by == topup.OpResolve || by == topup.OpHold || by == topup.OpRestore
	if resolutions := len(after.Resolutions) - len(before.Resolutions); decided != (resolutions == 1) {
		l.t.Errorf("%s: %s with %d more resolutions", after.ID, name, resolutions)
	}
}

// late reports that a finish moved the order by the result of an attempt that it had moved on from.
func (l *lives) late(before, after topup.Details) bool {
	latest := len(before.Attempts) - 1
	if latest < 0 {
		return false
	}
	was, is := before.Attempts[latest], after.Attempts[latest]
	return was.Outcome == is.Outcome || is.Error == topup.Overtaken || before.State == topup.StateRetrying
}

// checkAttempts: attempts are only added, by begin, and what became of one is never taken back.
func (l *lives) checkAttempts(by topup.Operation, before, after topup.Details) {
	l.t.Helper()
	more := len(after.Attempts) - len(before.Attempts)
	adds := by == topup.OpBegin || by == topup.OpRestore
	if more < 0 || more > 1 || more == 1 && !adds || after.AttemptCount != len(after.Attempts) {
		l.t.Fatalf("%s of %s: %d attempts, then %d, counted %d", by, after.ID, len(before.Attempts), len(after.Attempts),
			after.AttemptCount)
	}
	for i, was := range before.Attempts {
		is := after.Attempts[i]
		if was.Outcome != "" && was.Outcome != topup.OutcomeUnknown && !cmp.Equal(was, is) {
			l.t.Errorf("%s of %s: attempt %d changed: %s", by, after.ID, i+1, cmp.Diff(was, is))
		}
		if is.Number != i+1 || !strings.HasPrefix(is.Evidence, was.Evidence) || was.Outcome != "" && is.Outcome == "" {
			l.t.Errorf("%s of %s: attempt %+v was %+v", by, after.ID, is, was)
		}
	}
	for i, a := range after.Attempts { // a sweep ends the wait for the latest one's result, and for no other's
		if underWay := after.State == topup.StateSubmitting && i == len(after.Attempts)-1; (a.Outcome == "") != underWay {
			l.t.Errorf("%s of %s, which is %s: attempt %d has the outcome %q", by, after.ID, after.State, i+1, a.Outcome)
		}
	}
}

// checkEvents: events are only added, count from 1, never change their words, and the new one describes
// the order as it is.
func (l *lives) checkEvents(by topup.Operation, before, after topup.Details) {
	l.t.Helper()
	for i, ev := range after.Events {
		var body struct {
			Type topup.EventType
			Data struct {
				Sequence int
				topup.Order
			}
		}
		must(l.t, json.Unmarshal(ev.Body, &body))
		sequence := i + 1
		if len(after.Resolutions) > 0 && after.Resolutions[0].Outcome == topup.ResolvedRestored {
			sequence += topup.LostEvents
		}
		if ev.Sequence != sequence || body.Data.Sequence != sequence || body.Type != ev.Type || len(ev.Tries) != ev.TryCount {
			l.t.Errorf("%s: event %d is number %d, %s with %d tries: %s", after.ID, i+1, ev.Sequence, ev.Type, ev.TryCount,
				ev.Body)
		}
		switch {
		case i >= len(before.Events):
			unsaid := cmpopts.IgnoreFields(topup.Order{}, "EndsAt", "Unclaimed")
			if diff := cmp.Diff(after.Order, body.Data.Order, unsaid); diff != "" {
				l.t.Errorf("event %d is of another order: %s", i+1, diff)
			}
		case ev.ID != before.Events[i].ID || string(ev.Body) != string(before.Events[i].Body):
			l.t.Errorf("%s: event %d was %s %s, and is %s %s", after.ID, i+1, before.Events[i].ID, before.Events[i].Body,
				ev.ID, ev.Body)
		default:
			was := before.Events[i]
			if before.Unclaimed { // only who places the order says whom its events are for
				was.Caller, was.CallbackURL = ev.Caller, ev.CallbackURL
			}
			l.checkTries(by, was, ev)
		}
	}
}

// checkTries: one try at a time is added, by try and while the event is pending; none is taken back; and
// what is no longer pending stays so until it is redelivered.
func (l *lives) checkTries(by topup.Operation, was, is topup.Event) {
	l.t.Helper()
	more := is.TryCount - was.TryCount
	changed := !cmp.Equal(was, is) && (by != opTry || was.State != topup.EventPending || more != 1)
	if by == opRedeliver && changed {
		changed = is.State != topup.EventPending || is.ScheduleStart != was.TryCount || !is.DueAt.Equal(l.now) || more != 0
	}
	if changed || more < 0 || !cmp.Equal(was.Tries, is.Tries[:was.TryCount]) {
		l.t.Errorf("%s was %s with tries %+v, and is %s with %+v", is.ID, was.State, was.Tries, is.State, is.Tries)
	}
	if (is.DeliveredAt != nil) != (is.State == topup.EventDelivered) ||
		is.DueAt.IsZero() != (is.State != topup.EventPending) {
		l.t.Errorf("%s is %s, delivered %v, due %s", is.ID, is.State, is.DeliveredAt, is.DueAt)
	}
}

// checkAll compares the lists and counts, and each order, with what was seen last.
func (l *lives) checkAll() {
	l.t.Helper()
	ctx, far := l.t.Context(), l.now.Add(2*limits.Untried)
	want := map[string][]string{}
	counts := map[topup.State]int64{}
	for id, d := range l.seen {
		got, err := l.Details(ctx, id)
		must(l.t, err)
		if diff := cmp.Diff(d, got); diff != "" {
			l.t.Errorf("%s is not what it was: %s", id, diff)
		}
		counts[d.State]++
		want["all"] = append(want["all"], string(id))
		if !d.State.Final() && d.State != topup.StateUnknown {
			want["due"] = append(want["due"], string(id))
		}
		if d.State == topup.StateSubmitting {
			want["overdue"] = append(want["overdue"], string(id))
		}
		for _, ev := range d.Events {
			if ev.State == topup.EventPending {
				want["events"] = append(want["events"], ev.ID)
			}
		}
	}
	most := len(l.ids) * 10
	due, err := l.Due(ctx, far, topup.Due{}, most)
	must(l.t, err)
	overdue, err := l.Overdue(ctx, far, most)
	must(l.t, err)
	events, err := l.DueEvents(ctx, far, topup.DueEvent{}, most)
	must(l.t, err)
	id := func(d topup.Due) string { return string(d.ID) }
	got := map[string][]string{
		"due": namesOf(due, id), "overdue": namesOf(overdue, id), "events": namesOf(events,
			func(d topup.DueEvent) string { return d.ID }), "all": l.listed(),
	}
	for name := range got {
		slices.Sort(got[name])
		slices.Sort(want[name])
		if !slices.Equal(got[name], want[name]) {
			l.t.Errorf("%s: %v, want %v", name, got[name], want[name])
		}
	}
	inState, err := l.CountByState(ctx)
	maps.DeleteFunc(inState, func(_ topup.State, n int64) bool { return n == 0 }) // a state that every order has left
	if err != nil || !maps.Equal(inState, counts) {
		l.t.Errorf("counts %v, %v; want %v", inState, err, counts)
	}
	l.checkOldest()
}

func namesOf[T any](list []T, name func(T) string) (names []string) {
	for _, one := range list {
		names = append(names, name(one))
	}
	return names
}

// listed are the orders of all pages, which must come newest first.
func (l *lives) listed() (ids []string) {
	l.t.Helper()
	for f, last := (search.Filter{Limit: 7}), l.now.Add(time.Hour); ; {
		page, next, err := l.List(l.t.Context(), f)
		must(l.t, err)
		for _, o := range page {
			if ids = append(ids, string(o.ID)); o.CreatedAt.After(last) || !cmp.Equal(o, l.seen[o.ID].Order) {
				l.t.Errorf("%s of %s is listed after one of %s, as %+v", o.ID, o.CreatedAt, last, o)
			}
			last = o.CreatedAt
		}
		if f.Cursor = next; next == "" {
			return ids
		}
	}
}

func (l *lives) checkOldest() {
	l.t.Helper()
	var oldest time.Time
	for _, d := range l.seen {
		if d.State == topup.StateUnknown && (oldest.IsZero() || d.UpdatedAt.Before(oldest)) {
			oldest = d.UpdatedAt
		}
	}
	if got, err := l.OldestUnknown(l.t.Context()); err != nil || !got.Equal(oldest) {
		l.t.Errorf("the oldest unknown is of %s, %v; want %s", got, err, oldest)
	}
}
