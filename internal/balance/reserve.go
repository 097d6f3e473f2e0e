package balance

import (
	"context"
	"time"

	"recarga/topup"
)

// Distributor is what a worker buys from.
type Distributor interface {
	Authorize(ctx context.Context) error
	Purchase(ctx context.Context, o topup.Order, sendBy time.Time) topup.Result
}

// Watching is a distributor whose purchases are watched.
type Watching struct {
	Distributor // the one that buys
	w           *Watch
}

// Distributor has the watch read what purchases through d say.
func (w *Watch) Distributor(d Distributor) Watching { return Watching{d, w} }

// Purchase buys, and reads the balance that the answer names.
func (d Watching) Purchase(ctx context.Context, o topup.Order, sendBy time.Time) topup.Result {
	from := time.Now()
	d.w.begin(o, from)
	r := d.Distributor.Purchase(ctx, o, sendBy)
	d.w.end(o, r, from, time.Now())
	return r
}

func (w *Watch) begin(o topup.Order, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken[o.ID] = taking{o.Amount, now, true}
}

// end gives back what was taken for an order, and learns from the answer: the balance; that there was less than the
// order's amount; or nothing, and then the money may be gone.
func (w *Watch) end(o topup.Order, r topup.Result, from, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.taken, o.ID)
	said := topup.BalanceReading{Currency: w.known.Currency, From: from, At: at}
	switch {
	case r.BalanceAfter != nil:
		amount, err := topup.ParseBalance(*r.BalanceAfter)
		if said.Amount = amount; err == nil && w.see(said) {
			w.fresh = &said
		}
	case r.OutOfBalance():
		said.Amount = o.Amount - 1
		if !w.known.At.IsZero() {
			said.Amount = min(said.Amount, w.known.Amount)
		}
		w.see(said)
	case r.Outcome == topup.OutcomeUnknown:
		w.doubt += o.Amount
	}
}

// forget drops what was taken for orders that somebody else has bought.
func (w *Watch) forget(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, t := range w.taken {
		if !t.begun && now.Sub(t.since) > takenFor {
			delete(w.taken, id)
		}
	}
}

// Active implements admission.Reserve.
func (w *Watch) Active() bool { return w.Reserve > 0 }

// Waits implements admission.Reserve: an order waits while its purchase would leave less than Reserve, of what is
// known of the balance without all that this process is about to buy.
func (w *Watch) Waits(o topup.Waiting) topup.Wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waits(o)
}

// Take implements admission.Reserve: of many orders that are let through at once, no more than there is money for.
func (w *Watch) Take(o topup.Waiting) topup.Wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	why := w.waits(o)
	if why == "" && w.Reserve > 0 {
		w.taken[o.ID] = taking{o.Amount, time.Now(), false}
	}
	return why
}

func (w *Watch) waits(o topup.Waiting) topup.Wait {
	if w.Reserve == 0 || w.known.At.IsZero() {
		return ""
	}
	left := w.known.Amount - w.doubt - o.Amount
	for id, t := range w.taken {
		if id != o.ID {
			left -= t.amount
		}
	}
	if left < w.Reserve {
		return topup.WaitBalance
	}
	return ""
}
