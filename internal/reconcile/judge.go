package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"recarga/internal/journal"
	"recarga/topup"
)

// maxNamed bounds the lines of one order that are looked at: what is said of it is said by then.
const maxNamed = 100

// group are the lines of one order.
type group struct {
	id    string
	lines []line
	more  int // lines beyond maxNamed
}

// account is what the lines of one order say of its money.
type account struct {
	charges []line // each a purchase of its own, not reversed
	repeats []line // a charge that is there already
	// reversals are those of no charge that is there; returned are the charges that were reversed.
	reversals, returned, declined, pending, unreadable []line
}

// newAccount: a reversal cancels the charge of its own transaction.
func newAccount(lines []line) (a account) {
	var back []line
	for _, l := range lines {
		switch l.kind {
		case charged:
			if slices.ContainsFunc(a.charges, func(c line) bool { return same(c, l) }) {
				a.repeats = append(a.repeats, l)
				continue
			}
			a.charges = append(a.charges, l)
		case reversed:
			back = append(back, l)
		case declined:
			a.declined = append(a.declined, l)
		case pending:
			a.pending = append(a.pending, l)
		default:
			a.unreadable = append(a.unreadable, l)
		}
	}
	for _, l := range back {
		i := slices.IndexFunc(a.charges, func(c line) bool { return same(c, l) })
		if i < 0 {
			a.reversals = append(a.reversals, l)
			continue
		}
		a.returned = append(a.returned, l)
		a.charges = slices.Delete(a.charges, i, i+1)
	}
	return a
}

// same tells two lines of one purchase. Without the distributor's id that cannot be known, and they
// count as two: to look at one purchase twice is the lesser harm.
func same(a, b line) bool {
	if a.transaction != "" || b.transaction != "" {
		return a.transaction == b.transaction
	}
	return a.reference != "" && a.reference == b.reference
}

// notCharged are the lines that say that money did not move, or came back.
func (a account) notCharged() []line { return slices.Concat(a.reversals, a.returned, a.declined) }

// verdict is what follows from the lines of one order.
type verdict struct {
	findings []Finding
	matched  bool
	// sold tells that it is one we call succeeded.
	sold bool
	// settle is how an unknown order is settled; its finding is found.
	settle *topup.Resolution
	found  Finding
	// absent is an unknown order that its lines call not charged.
	absent *absence
	// orphans are charges of an order that is not known.
	orphans []line
	// agrees and differs count lines whose time is that of the order's attempts, or another.
	agrees, differs []moment
}

// judge compares the lines of one order with the order; o is nil where it is not known. source names
// the statement.
func judge(g group, o *journal.Standing, source string, margin time.Duration) (v verdict) {
	a := newAccount(g.lines)
	if o == nil {
		return judgeStranger(g, a)
	}
	v.times(a, o, margin)
	switch o.State {
	case topup.StateSucceeded:
		v.judgeSold(g, a, o)
	case topup.StateUnknown:
		v.judgeUnknown(g, a, o, source)
	case topup.StateSubmitting: // its charge is no news, and may be told before its answer is recorded
	default:
		if len(a.charges) > 0 {
			v.add(newFinding(MissingHere, g, o, a.charges, "we call it "+string(o.State)+", which says that no money moved"+alsoReversed(a)))
		} else {
			v.matched = len(a.unreadable) == 0
		}
	}
	return v
}

func judgeStranger(g group, a account) (v verdict) {
	if len(a.charges) == 0 {
		return v
	}
	v.orphans = a.charges
	v.add(newFinding(MissingHere, g, nil, a.charges, "we know no such order"+alsoReversed(a)))
	return v
}

func alsoReversed(a account) string {
	if len(a.reversals) == 0 {
		return ""
	}
	return "; " + said(a.reversals)
}

func (v *verdict) add(f Finding) { v.findings = append(v.findings, f) }

func (v *verdict) judgeSold(g group, a account, o *journal.Standing) {
	v.sold = true
	switch {
	case len(a.charges) == 0 && len(a.notCharged())+len(a.pending) > 0:
		lines := slices.Concat(a.notCharged(), a.pending)
		v.add(newFinding(NotCharged, g, o, lines, said(lines)))
		return
	case len(a.charges) == 0:
		return // a line that cannot be read is told of as such
	case len(a.reversals) > 0:
		v.add(newFinding(NotCharged, g, o, a.reversals, fmt.Sprintf("charged in line %d; %s", a.charges[0].number, said(a.reversals))))
	}
	v.addDuplicates(g, a, o)
	if wrong := otherAmounts(a, o); len(wrong) > 0 {
		v.add(newFinding(AmountDiffers, g, o, wrong, fmt.Sprintf("%s here, %s there", o.Amount, *wrong[0].amount)))
	}
	if wrong := otherPhones(a, o); len(wrong) > 0 {
		v.add(newFinding(PhoneDiffers, g, o, wrong, fmt.Sprintf("%s here, %s there", o.Phone.Digits(), wrong[0].phone)))
	}
	if c := a.charges[0]; len(a.charges) == 1 && o.TransactionID != "" && c.transaction != "" && c.transaction != o.TransactionID {
		v.add(newFinding(TransactionDiffers, g, o, a.charges, fmt.Sprintf("%s here, %s there", o.TransactionID, c.transaction)))
	}
	v.matched = len(v.findings) == 0
}

// addDuplicates names what is charged, or told, more than once.
func (v *verdict) addDuplicates(g group, a account, o *journal.Standing) {
	if len(a.charges) > 1 {
		detail := fmt.Sprintf("%d charges", len(a.charges)+g.more)
		if a.charges[0].transaction == "" {
			detail += "; without the distributor's ids they could be one"
		}
		v.add(newFinding(ChargedTwice, g, o, a.charges, detail))
	}
	if len(a.repeats) > 0 {
		first := slices.IndexFunc(a.charges, func(c line) bool { return same(c, a.repeats[0]) })
		lines := a.repeats
		if first >= 0 {
			lines = append([]line{a.charges[first]}, a.repeats...)
		}
		v.add(newFinding(RepeatedLine, g, o, lines, fmt.Sprintf("%d lines of one charge", len(a.repeats)+1+g.more)))
	}
}

// judgeUnknown: what charged it must agree in all that is known, or somebody must look. Two charges do
// not change that it was charged; the second one is a finding of its own.
func (v *verdict) judgeUnknown(g group, a account, o *journal.Standing, source string) {
	hold := func(lines []line, detail string) {
		f := newFinding(UnknownHeld, g, o, lines, detail)
		v.add(f)
	}
	unclear := slices.Concat(a.unreadable, a.pending)
	switch {
	case len(unclear) > 0:
		hold(unclear, said(unclear))
	case len(a.charges) == 0:
		lines := a.notCharged()
		v.absent = &absence{Standing: *o, line: lines[0].number, status: statusText(lines[0])}
	case len(a.reversals) > 0:
		hold(a.charges, fmt.Sprintf("charged in line %d; %s", a.charges[0].number, said(a.reversals)))
	case len(otherAmounts(a, o)) > 0:
		wrong := otherAmounts(a, o)
		hold(wrong, fmt.Sprintf("charged, and the amount differs: %s here, %s there", o.Amount, *wrong[0].amount))
	case len(otherPhones(a, o)) > 0:
		wrong := otherPhones(a, o)
		hold(wrong, fmt.Sprintf("charged, and the phone differs: %s here, %s there", o.Phone.Digits(), wrong[0].phone))
	default:
		v.settle, v.found = foundAs(g, a, o, source)
		v.addDuplicates(g, a, o)
	}
}

// foundAs settles an order by the first of its charges.
func foundAs(g group, a account, o *journal.Standing, source string) (*topup.Resolution, Finding) {
	c := slices.MinFunc(a.charges, func(a, b line) int { return a.at.at.Compare(b.at.at) })
	detail := fmt.Sprintf("line %d: charged", c.number)
	if c.transaction != "" {
		detail += " as " + c.transaction
	}
	if c.amount == nil {
		detail += "; the amount was not compared"
	}
	f := newFinding(UnknownFound, g, o, a.charges, detail)
	f.Outcome = topup.NullString(topup.VerdictSucceeded)
	return &topup.Resolution{
		Outcome: topup.VerdictSucceeded, Reason: source + ", " + detail,
		TransactionID: topup.NullString(c.transaction), Reference: topup.NullString(c.reference), AuthCode: topup.NullString(c.auth),
	}, f
}

func otherAmounts(a account, o *journal.Standing) []line {
	return filter(a.charges, func(l line) bool { return l.amount != nil && *l.amount != o.Amount })
}

func otherPhones(a account, o *journal.Standing) []line {
	return filter(a.charges, func(l line) bool { return l.phone != "" && l.phone != o.Phone.Digits() })
}

func filter(lines []line, keep func(line) bool) (kept []line) {
	for _, l := range lines {
		if keep(l) {
			kept = append(kept, l)
		}
	}
	return kept
}

// rounding is by how much a time may be off without being another one.
const rounding = time.Minute

// times holds the lines' times against those of the order's attempts.
func (v *verdict) times(a account, o *journal.Standing, margin time.Duration) {
	if o.Attempts == 0 {
		return
	}
	margin = max(margin, rounding)
	for _, c := range a.charges {
		switch {
		case c.at.isZero():
		case c.at.last().Before(o.From.Add(-margin)) || c.at.at.After(o.Until.Add(margin)):
			v.differs = append(v.differs, c.at)
		default:
			v.agrees = append(v.agrees, c.at)
		}
	}
}

// said tells lines in their own words.
func said(lines []line) string {
	var texts []string
	for _, l := range lines[:min(len(lines), 3)] {
		texts = append(texts, fmt.Sprintf("line %d says %s", l.number, statusText(l)))
	}
	if more := len(lines) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

func statusText(l line) string {
	switch {
	case l.kind == unreadable:
		return "what cannot be read"
	case l.status == "":
		return l.kind.String()
	default:
		return fmt.Sprintf("%q (%s)", l.status, l.kind)
	}
}

// newFinding is one about lines of a group.
func newFinding(class Class, g group, o *journal.Standing, lines []line, detail string) Finding {
	f := Finding{Class: class, ID: topup.NullString(g.id), Lines: []int64{}, StatementTransactionIDs: []string{}, Detail: detail}
	if o != nil {
		f.ID, f.State, f.Amount, f.TransactionID = topup.NullString(o.ID), topup.NullString(o.State), &o.Amount, topup.NullString(o.TransactionID)
	}
	for _, l := range lines {
		f.Lines = append(f.Lines, l.number)
		if l.transaction != "" && !slices.Contains(f.StatementTransactionIDs, l.transaction) {
			f.StatementTransactionIDs = append(f.StatementTransactionIDs, l.transaction)
		}
	}
	if len(lines) > 0 {
		f.StatementAmount = lines[0].amount
		if at := lines[0].at; !at.isZero() {
			f.StatementTime = new(at.at.UTC())
		}
		if g := lines[0].given; g != "" && g != "-" {
			f.Detail += "; the statement calls it " + g
		}
	}
	return f
}
