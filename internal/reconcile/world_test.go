package reconcile_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"recarga/internal/journal/search"
	"recarga/internal/reconcile"
	"recarga/internal/sandbox"
	"recarga/topup"
)

// world is a vendor's ledger, which is the truth, and our book of the same days.
type world struct {
	*rand.Rand
	start  time.Time
	orders []*life
	byID   map[topup.ID]*life
	ledger []sandbox.Purchase
	// odd says that the vendor did what it should not, or that somebody else uses the account: what is near that is
	// for people.
	odd bool
	// days says that the statement has dates without times.
	days bool
	// onLooked runs once, when all unknown orders have been read.
	onLooked func()
}

// life is an order as the book has it, and what its id was charged.
type life struct {
	search.Standing
	attempts []attempt
	charges  int
	settled  topup.ResolvedAs
}

type attempt struct {
	at, giveUp time.Time
	finished   time.Time
	outcome    topup.Outcome
}

var dawn = time.Date(2025, 11, 10, 6, 0, 0, 0, time.UTC)

// edge is how many orders succeed before the first that is in doubt, and after the last.
const edge = 7

// newWorld makes some days of an account from a time on: what succeeded, was declined, is not known. All ids have a
// beginning in common.
func newWorld(r *rand.Rand, start time.Time, common string) *world {
	w := &world{Rand: r, byID: map[topup.ID]*life{}, start: start}
	ids, at := w.style(common), start
	// At both ends nothing is unknown, for longer than the margin, and a day where there are dates only.
	guard := 3 * time.Hour
	if w.days = w.one(5); w.days {
		guard = 60 * time.Hour
	}
	w.odd = w.one(4)
	gap := pick(w, 20*time.Second, 2*time.Minute, 10*time.Minute, 40*time.Minute)
	n := 15 + w.IntN(25)
	for i := range edge {
		w.sold(ids(i), at)
		at = at.Add(guard / edge)
	}
	for i := range n {
		w.order(ids(100+i), at)
		at = at.Add(time.Duration(1 + w.Int64N(2*int64(gap))))
	}
	at = at.Add(10 * time.Minute)
	for i := range edge {
		w.sold(ids(300+i), at)
		at = at.Add(guard / edge)
	}
	return w
}

// style is how a shop numbers its orders.
func (w *world) style(common string) func(int) topup.ID {
	format := common + pick(w, "ORD-%04d", "%d", "A%d", "2025111000000%04d", "shop:%x", "Xy-%d-zY")
	return func(i int) topup.ID { return topup.ID(fmt.Sprintf(format, i)) }
}

func (w *world) one(in int) bool { return w.IntN(in) == 0 }

func pick[T any](w *world, of ...T) T { return of[w.IntN(len(of))] }

func (w *world) add(id topup.ID, state topup.State, at time.Time) *life {
	o := &life{Standing: search.Standing{
		ID: id, State: state, From: at, Until: at,
		Phone: pick[topup.Phone](w, "5537686660", "5512345678",
			"5599887766"), Amount: topup.Pesos(pick[int64](w, 10, 20, 50)),
	}}
	w.orders, w.byID[id] = append(w.orders, o), o
	return o
}

// sent is an attempt of which nothing is known.
func (w *world) sent(o *life, at time.Time, charged bool) {
	if o.Attempts++; o.Attempts == 1 {
		o.From = at
	}
	o.Attempt++
	o.Until = at.Add(2 * time.Minute)
	o.attempts = append(o.attempts, attempt{at, o.Until, o.Until, topup.OutcomeUnknown})
	if charged {
		w.charge(o, at.Add(time.Duration(w.Int64N(int64(2*time.Minute)))))
	}
}

// denied is an attempt that the distributor called unavailable; an odd one has charged it all the same.
func (w *world) denied(o *life, at time.Time, charged bool) {
	w.sent(o, at, charged)
	o.attempts[len(o.attempts)-1].outcome = topup.OutcomeUnavailable
}

// answered is an attempt that the distributor approved.
func (w *world) answered(o *life, at time.Time) {
	if o.Attempts++; o.Attempts == 1 {
		o.From = at
	}
	o.Attempt++
	p := w.charge(o, at.Add(time.Second))
	o.Approved, o.Until = true, at.Add(time.Duration(1+w.IntN(5))*time.Second)
	o.attempts = append(o.attempts, attempt{at, at.Add(2 * time.Minute), o.Until, topup.OutcomeApproved})
	o.TransactionID, o.Reference, o.AuthCode = p.TransactionID, p.Reference, p.AuthCode
}

func (w *world) charge(o *life, at time.Time) sandbox.Purchase {
	o.charges++
	n := len(w.ledger)
	p := sandbox.Purchase{
		TransactionID: fmt.Sprintf("TXN-%d-%d", at.UnixMilli(),
			n), DistributorTransactionID: string(o.ID), PhoneNumber: o.Phone.Digits(),
		ProductID: "MOVISTAR_TAE", Amount: sandbox.Money{Decimal: decimal.New(int64(o.Amount), -2)}, Currency: "MXN",
		Reference: fmt.Sprintf("RRN-%012d", n), AuthCode: fmt.Sprintf("%06d", w.IntN(1_000_000)), ChargedAt: at,
	}
	w.ledger = append(w.ledger, p)
	return p
}

func (w *world) sold(id topup.ID, at time.Time) { w.answered(w.add(id, topup.StateSucceeded, at), at) }

// order gives one a random life.
func (w *world) order(id topup.ID, at time.Time) {
	switch w.IntN(22) {
	case 0, 1: // in doubt, and charged
		w.sent(w.add(id, topup.StateUnknown, at), at, true)
	case 2, 3: // in doubt, and not charged
		w.sent(w.add(id, topup.StateUnknown, at), at, false)
	case 4: // sent again by a person, and in doubt again
		o, first := w.add(id, topup.StateUnknown, at), w.one(3)
		w.sent(o, at, first)
		w.sent(o, at.Add(4*time.Minute), !first && w.one(2))
	case 5: // sent again, and approved
		o := w.add(id, topup.StateSucceeded, at)
		w.sent(o, at, w.one(4))
		w.answered(o, at.Add(3*time.Minute))
	case 6: // called sold by a person
		o := w.add(id, topup.StateSucceeded, at)
		w.sent(o, at, true)
	case 7: // declined; an odd vendor has charged it
		o := w.add(id, topup.StateFailed, at)
		o.Attempt = 1
		o.attempts = []attempt{{at, at.Add(2 * time.Minute), at.Add(time.Second), topup.OutcomeDeclined}}
		if w.odd && w.one(3) {
			w.charge(o, at.Add(time.Second))
		}
	case 8:
		if w.odd && w.one(2) { // charged twice for one request
			w.sold(id, at)
			w.charge(w.byID[id], at.Add(2*time.Second))
		} else {
			w.add(id, topup.StateCanceled, at)
		}
	case 10: // unavailable, and about to be sent again
		o, first := w.add(id, topup.StateRetrying, at), w.odd && w.one(2)
		w.denied(o, at, first)
		if w.one(2) {
			w.denied(o, at.Add(4*time.Minute), w.odd && !first && w.one(2))
		}
	case 11:
		w.add(id, topup.StateQueued, at)
	case 9:
		if w.odd && w.one(2) { // of another shop with the same account
			w.charge(&life{Standing: search.Standing{ID: "OTHER-" + id, Phone: "5500110011", Amount: topup.Pesos(10)}}, at)
			return
		}
		w.sold(id, at)
	default:
		w.sold(id, at)
	}
}

// unknown are the orders that are held.
func (w *world) unknown() (list []*life) {
	for _, o := range w.orders {
		if o.State == topup.StateUnknown {
			list = append(list, o)
		}
	}
	return list
}

// Standings, Sold and Held are the book's, as the journal's are.
func (w *world) Standings(_ context.Context, ids []topup.ID) (list []search.Standing, _ error) {
	for _, id := range ids {
		if o := w.byID[id]; o != nil {
			list = append(list, o.seen())
		}
	}
	return list, nil
}

func (o *life) seen() search.Standing {
	s := o.Standing
	if s.Attempts == 0 {
		s.From, s.Until = time.Time{}, time.Time{}
	}
	return s
}

func (w *world) Sold(_ context.Context, since, until time.Time) iter.Seq2[search.Standing, error] {
	return w.those(func(o *life) bool {
		return o.State == topup.StateSucceeded && !o.Until.Before(since) && !o.From.After(until)
	})
}

func (w *world) Held(context.Context) iter.Seq2[search.Standing, error] {
	return func(yield func(search.Standing, error) bool) {
		w.those(func(o *life) bool { return o.State == topup.StateUnknown })(yield)
		if w.onLooked != nil {
			w.onLooked()
			w.onLooked = nil
		}
	}
}

func (w *world) those(chosen func(*life) bool) iter.Seq2[search.Standing, error] {
	return func(yield func(search.Standing, error) bool) {
		for _, o := range w.orders {
			if chosen(o) && !yield(o.seen(), nil) {
				return
			}
		}
	}
}

// Resolve is the journal's: a compare-and-set on the attempt.
func (w *world) Resolve(_ context.Context, id topup.ID, r topup.Resolution) (topup.Order, error) {
	o := w.byID[id]
	switch {
	case o == nil:
		return topup.Order{}, topup.ErrNotFound
	case o.State != topup.StateUnknown:
		return topup.Order{}, &topup.TransitionError{ID: id, From: o.State, By: topup.OpResolve}
	case r.Attempt != 0 && r.Attempt != o.Attempt:
		return topup.Order{}, &topup.MovedOnError{ID: id, Attempt: r.Attempt, Latest: o.Attempt}
	}
	o.State, o.Held, o.settled = r.Outcome.State(), false, r.Outcome
	return topup.Order{}, nil
}

// Hold is the journal's. Now and then the order's next attempt has begun.
func (w *world) Hold(_ context.Context, id topup.ID, h topup.Hold) (topup.Order, error) {
	o := w.byID[id]
	if err := h.Check(); err != nil {
		return topup.Order{}, err
	}
	if o.State == topup.StateRetrying && w.one(8) {
		o.State = topup.StateSubmitting
	}
	if !topup.Allowed(o.State, topup.StateUnknown, topup.OpHold) {
		return topup.Order{}, &topup.TransitionError{ID: id, From: o.State, By: topup.OpHold}
	}
	o.State, o.Held = topup.StateUnknown, true
	return topup.Order{}, nil
}

// Restore is asked for by no statement of a book that was not restored.
func (w *world) Restore(_ context.Context, c topup.LostCharge) (topup.Order, error) {
	return topup.Order{}, fmt.Errorf("%s was restored", c.ID)
}

// Dispute takes every mark of a final order.
func (w *world) Dispute(_ context.Context, id topup.ID, d topup.Dispute) (topup.Order, error) {
	if o := w.byID[id]; !o.State.Final() {
		return topup.Order{}, fmt.Errorf("%s is %s: %s", id, o.State, d.Evidence)
	}
	return topup.Order{}, nil
}

// story is what happened to an order, for whoever reads why a test failed.
func (w *world) story(o *life) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s; %d charges; attempt %d (%d may have charged, %s to %s), phone %s, amount %s\n", o.ID,
		o.State, o.charges, o.Attempt, o.Attempts,
		o.From.Format(time.RFC3339), o.Until.Format(time.RFC3339), o.Phone.Digits(), o.Amount)
	for _, p := range w.ledger {
		if p.DistributorTransactionID == string(o.ID) {
			fmt.Fprintf(&b, "the ledger has %s at %s\n", p.TransactionID, p.ChargedAt.Format(time.RFC3339))
		}
	}
	return b.String()
}

var (
	_ reconcile.Book   = (*world)(nil)
	_ reconcile.Orders = (*world)(nil)
)

// inOrder sorts the ledger by time, as statements are.
func (w *world) inOrder() []sandbox.Purchase {
	return slices.SortedStableFunc(slices.Values(w.ledger),
		func(a, b sandbox.Purchase) int { return cmp.Compare(a.ChargedAt.UnixNano(), b.ChargedAt.UnixNano()) })
}
