// Package conclusion says of an order that is held as unknown whether it was probably charged, and why. It is a pure
// function of what the book knows, for people alone: a tool that acts on it would guess with money. So nothing that
// buys, settles or retries may import it, or read topup.Order.Conclusion (TestNobodyActsOnIt).
//
// What an attempt was answered proves little: the distributor fails before and after it charges. What tells is the
// balance, from a reading before the attempt to one after it, if all else that moved it in between is known.
package conclusion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"recarga/topup"
)

// Evidence is what the book knows of one attempt whose outcome is unknown.
type Evidence struct {
	topup.Attempt
	// Before is the last reading of the balance before the attempt began; nil: there is none that is near enough.
	Before *Reading
	// Windows end with a reading after the attempt, the shortest first.
	Windows []Window
	// Sales are the last approved purchases before the attempt, the oldest first. They show what a peso costs.
	Sales []Sale
}

// Reading is a figure of the balance, in hundredths of its unit. It held at some moment between From and At.
type Reading struct {
	topup.BalanceReading
	// Order whose answer gave it; empty: the distributor was asked.
	Order topup.ID
}

// Window is a time in which the balance moved.
type Window struct {
	// After is the reading that ends it.
	After Reading
	// Late: the distributor cannot charge the attempt any more once it has ended.
	Late bool
	// Others are the attempts beside this one that may have moved the balance. More of them than MostOthers tell nothing.
	Others []Movement
	// Archived: others may have left the book.
	Archived bool
}

// Movement is an attempt that may have been charged.
type Movement struct {
	Order  topup.ID
	Amount topup.Amount
	// Approved: it was charged, between From and Until. Else it may have been.
	Approved bool
	// From and Until bound when it was charged; a zero Until: it is under way.
	From, Until time.Time
}

// Sale is an approved purchase, and the balance after it.
type Sale struct {
	Movement
	Balance topup.Amount
}

const (
	// MostOthers is how many attempts beside one are counted.
	MostOthers = 100
	// LateCharge is how long after an attempt ended the distributor may still charge it: it tries its providers one after
	// the other.
	LateCharge = 15 * time.Minute
	// mostDoubts bounds the sums that attempts in doubt can have: of many sums, one fits by chance.
	mostDoubts = 4
)

// Of is the conclusion on an order, from the evidence of its attempts in doubt; nil unless it is unknown.
func Of(d topup.Details, evidence []Evidence) *topup.Conclusion {
	if d.State != topup.StateUnknown {
		return nil
	}
	c := &topup.Conclusion{Call: topup.CallCannotTell}
	for _, r := range d.Resolutions {
		if r.Outcome == topup.ResolvedHeld && r.Attempt == d.AttemptCount {
			return &topup.Conclusion{Call: topup.CallCharged, Reasons: []string{"a statement charges it: " + r.Reason}}
		}
	}
	var calls []topup.Call
	for _, e := range evidence {
		call, reasons := e.judge(d)
		calls, c.Reasons = append(calls, call), append(c.Reasons, reasons...)
	}
	c.Reasons = append(c.Reasons, "no statement that was compared speaks of it")
	switch {
	case slices.Contains(calls, topup.CallCharged):
		c.Call = topup.CallCharged
	case len(calls) > 0 && !slices.ContainsFunc(calls, func(c topup.Call) bool { return c != topup.CallNotCharged }):
		c.Call = topup.CallNotCharged
	}
	return c
}

// judge is the call on one attempt.
func (e Evidence) judge(d topup.Details) (topup.Call, []string) {
	reasons := []string{fmt.Sprintf("attempt %d: %s", e.Number, e.answer())}
	if e.reach() == topup.ReachPart && e.HTTPStatus == nil {
		return topup.CallNotCharged, append(reasons, "a request that is not whole cannot be carried out")
	}
	if e.Before == nil {
		return topup.CallCannotTell, append(reasons, "no balance is known from before it")
	}
	price := priceOf(e.Sales)
	call := topup.CallCannotTell
	for _, w := range e.Windows {
		said, reason := e.within(w, d.Amount, price)
		if reasons = append(reasons, reason); said != topup.CallCannotTell {
			call = said
			break
		}
	}
	if len(e.Windows) == 0 || !e.Windows[len(e.Windows)-1].Late && call == topup.CallCannotTell {
		reasons = append(reasons, "no balance is known from after "+clock(e.ended().Add(LateCharge))+
			": until then the distributor may still charge it")
	}
	return call, reasons
}

// reach is how far the request got; empty where nobody recorded it.
func (e Evidence) reach() topup.Reach {
	for _, r := range []topup.Reach{ // a part comes before what begins with the same words
		topup.ReachNone, topup.ReachIdle, topup.ReachPart, topup.ReachWritten, topup.ReachAnswer,
	} {
		if strings.HasPrefix(e.Attempt.Evidence, string(r)) {
			return r
		}
	}
	return ""
}

// answer is how far the request got, and what was answered.
func (e Evidence) answer() string {
	reach := string(cmp.Or(e.reach(), "nobody recorded how far the request got: its worker ended"))
	switch {
	case e.HTTPStatus == nil:
		return strings.TrimSuffix(reach+", no whole answer; "+string(e.Error), "; ")
	case e.ResponseCode != "":
		return fmt.Sprintf("answered with HTTP status %d and code %s; %s", *e.HTTPStatus, e.ResponseCode, e.Error)
	}
	return fmt.Sprintf("answered with HTTP status %d; %s", *e.HTTPStatus, e.Error)
}

func (e Evidence) ended() time.Time {
	if e.FinishedAt == nil {
		return e.StartedAt
	}
	return *e.FinishedAt
}

// within is the call by the balance in a window, and why.
func (e Evidence) within(w Window, own topup.Amount, p price) (topup.Call, string) {
	fell := e.Before.Amount - w.After.Amount
	moved := fmt.Sprintf("balance %s at %s, %s at %s", e.Before.Amount, clock(e.Before.At), w.After.Amount, clock(w.After.At))
	surely, doubts, beside := e.movements(w)
	told := fmt.Sprintf("%s: down %s, of which other purchases took %s MXN", moved, fell, surely)
	if n := len(doubts); n > 0 {
		told += fmt.Sprintf(", and %d more may have taken some", n)
	}
	switch {
	case w.Archived:
		return topup.CallCannotTell, moved + "; what else moved it has been archived"
	case len(w.Others) > MostOthers || len(doubts) > mostDoubts:
		return topup.CallCannotTell, moved + "; too much else moved it"
	}
	with, without := false, false
	for _, sum := range sums(surely, doubts) {
		with, without = with || p.explains(fell, sum+own), without || p.explains(fell, sum)
	}
	switch {
	case with && !without:
		return topup.CallCharged, told + "; only with this one is that explained"
	case without && !with && !w.Late:
		return topup.CallCannotTell, told + "; without this one so far"
	case without && !with && beside:
		// The distributor may lose one of two debits that it makes at once.
		return topup.CallCannotTell, told + "; without this one, but another was bought at the same moment"
	case without && !with:
		return topup.CallNotCharged, told + "; that is explained without this one"
	case !with:
		return topup.CallCannotTell, told + "; nothing explains that"
	}
	return topup.CallCannotTell, told + "; that is explained with and without this one"
}

// movements are what others have certainly taken in a window, and what they may have. beside: another was charged
// at the moment of this attempt.
func (e Evidence) movements(w Window) (surely topup.Amount, doubts []topup.Amount, beside bool) {
	for _, m := range w.Others {
		until := m.Until
		switch {
		case m.Order == e.Before.Order && m.Order != "": // the reading is the balance after it
			continue
		case until.IsZero():
			until = w.After.At
		case !m.Approved:
			until = until.Add(LateCharge)
		}
		if !until.After(e.Before.From) || !m.From.Before(w.After.At) {
			continue
		}
		beside = beside || m.Approved && m.From.Before(e.ended()) && until.After(e.StartedAt)
		inside := !m.From.Before(e.Before.At) && !until.After(w.After.From)
		if m.Approved && (inside || m.Order == w.After.Order && m.Order != "" && !m.From.Before(e.Before.At)) {
			surely += m.Amount
		} else {
			doubts = append(doubts, m.Amount)
		}
	}
	return surely, doubts, beside
}

// sums are what can have been taken: what surely was, with any of the doubts.
func sums(surely topup.Amount, doubts []topup.Amount) []topup.Amount {
	all := []topup.Amount{surely}
	for _, d := range doubts {
		for _, sum := range all {
			all = append(all, sum+d)
		}
		slices.Sort(all)
		all = slices.Compact(all)
	}
	return all
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
