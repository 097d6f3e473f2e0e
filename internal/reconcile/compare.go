package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"recarga/internal/journal/search"
	"recarga/internal/reconcile/statement"
	"recarga/topup"
)

const (
	// maxNamed bounds the lines of one finding that are shown. Nothing is decided by it.
	maxNamed = 100
	// maxGroup bounds the lines of one id that are held in memory. What has more is a matter for people: it settles
	// nothing, and none of its charges is accounted for.
	maxGroup = 10_000
)

// group are the lines of one id.
type group struct {
	id    string
	lines []statement.Line
	// over says that there are more than maxGroup.
	over bool
}

// account is what the lines of one order say of its money.
type account struct {
	charges []statement.Line // each a purchase of its own, not reversed
	repeats []statement.Line // a charge that is there already
	// reversals are those of no charge that is there; returned are the charges that were reversed.
	reversals, returned, declined, pending, unreadable []statement.Line
}

// newAccount: a reversal cancels the charge of its own transaction.
func newAccount(lines []statement.Line) (a account) {
	var back []statement.Line
	at := map[string]int{} // the charges that can be distinguished from others
	for _, l := range lines {
		switch l.Kind {
		case statement.Charged:
			if _, there := at[l.Purchase()]; there {
				a.repeats = append(a.repeats, l)
				continue
			}
			if l.Purchase() != "" {
				at[l.Purchase()] = len(a.charges)
			}
			a.charges = append(a.charges, l)
		case statement.Reversed:
			back = append(back, l)
		case statement.Declined:
			a.declined = append(a.declined, l)
		case statement.Pending:
			a.pending = append(a.pending, l)
		default:
			a.unreadable = append(a.unreadable, l)
		}
	}
	gone := map[int]bool{}
	for _, l := range back {
		if i, there := at[l.Purchase()]; there {
			gone[i] = true
			a.returned = append(a.returned, l)
		} else {
			a.reversals = append(a.reversals, l)
		}
	}
	var left []statement.Line
	for i, c := range a.charges {
		if !gone[i] {
			left = append(left, c)
		}
	}
	a.charges = left
	return a
}

// notCharged are the lines that say that money did not move, or came back.
func (a account) notCharged() []statement.Line {
	return slices.Concat(a.reversals, a.returned, a.declined)
}

// comparison is by what every order is compared.
type comparison struct {
	// source names the statement.
	source string
	// slop is by how much a time of the statement may be off ours: the margin, and the statement's precision.
	slop time.Duration
	// amounts and phones say that the statement has some to compare.
	amounts, phones bool
	// restored says that the book lacks what was done between a backup and now.
	restored bool
	// since is when that backup was made; zero: not known.
	since time.Time
	now   time.Time
}

// decision is what follows from the lines of one order.
type decision struct {
	findings []Finding
	matched  bool
	// later are findings that wait until the whole statement is known: what is settled, or disputed.
	later []pendingFinding
	// sold is one that we call succeeded, and what the statement says of it.
	sold *soldOrder
	// absent is an unknown order that its lines call not charged.
	absent *absence
	// unclaimed are charges that the order does not account for; all of them, where all is set.
	unclaimed []statement.Line
	all       bool
	// agrees and differs count lines whose time is that of the order's attempts, or another.
	agrees, differs []statement.Moment
	// supports and contradicts count what the statement says, and whether that is what we know.
	supports, contradicts int64
	// strangers are charges of an order that is not known.
	strangers int64
}

// pendingFinding is one that waits until the whole statement is known.
type pendingFinding struct {
	// Order is as the book has it, and Finding what the statement says against it, or of it.
	Order   search.Standing
	Finding Finding
	// Settle is how the finding's order is settled.
	Settle *topup.Resolution
	// Lost is the charge of an order that a restored book does not know.
	Lost *topup.LostCharge
	// Dispute is the evidence against the finding's order, which is final.
	Dispute string
}

// compare compares the lines of one order with the order; o is nil where it is not known.
func (j comparison) compare(g group, o *search.Standing) (v decision) {
	a := newAccount(g.lines)
	if o == nil {
		return j.compareStranger(g, a)
	}
	if !j.restored || o.State.Final() { // the later attempts of others are not in the book
		v.times(a, o, j.slop)
	}
	claimed := !g.over && j.claims(o, a)
	if !claimed {
		v.unclaimed, v.all = filter(a.charges, func(c statement.Line) bool { return !isOurs(o, c) }), g.over
	}
	switch o.State {
	case topup.StateSucceeded:
		v.compareSold(g, a, o, j, claimed)
	case topup.StateUnknown:
		v.compareUnknown(g, a, o, j)
	case topup.StateSubmitting: // its charge is no news, and may be in the statement before its answer is recorded
		if len(a.charges) > 0 && !claimed {
			v.contradicts++
			v.add(newFinding(MissingHere, g, o, a.charges,
				"an attempt is under way, and not all of this is its charge: run the statement again"))
		} else if len(a.charges) > 0 && j.restored {
			v.add(newFinding(MissingHere, g, o, a.charges, "an attempt was under way when the backup was made: "+
				"run the statement again when a worker has run, which calls it unknown"))
		}
	default:
		if len(a.charges) > 0 {
			v.contradicts++
			f := newFinding(MissingHere, g, o, a.charges, "we call it "+string(o.State)+", which says that no money moved"+
				alsoReversed(a))
			v.addDisputed(f, o, j, true)
		} else {
			v.matched = len(a.unreadable) == 0
		}
	}
	if o.Held { // what the distributor said of it is the other way round
		if !j.restored { // else another answer may be lost
			v.contradicts += v.supports
		}
		v.supports = 0
	}
	return v
}

// claims reports whether the order accounts for all its charges. A charge is accounted for by an attempt that may have
// made it, so there are no more of them than attempts. It is of our phone and amount, and of the time of our attempts,
// or it has the transaction that the distributor named.
func (j comparison) claims(o *search.Standing, a account) bool {
	if len(a.charges) > o.Attempts || o.State == topup.StateFailed || o.State == topup.StateCanceled {
		return len(a.charges) == 0
	}
	others := filter(a.charges, func(c statement.Line) bool { return !isOurs(o, c) })
	return !lacksOurs(o, a) && j.agrees(o, others) && len(j.hidden(others)) == 0
}

// hidden are charges that hide what others say: they agree with anybody's.
func (j comparison) hidden(charges []statement.Line) []statement.Line {
	return filter(charges, func(c statement.Line) bool {
		return j.amounts && c.Amount == nil || j.phones && c.Phone == ""
	})
}

// isOurs reports whether a charge has the transaction that the distributor named.
func isOurs(o *search.Standing, c statement.Line) bool {
	return o.TransactionID != "" && c.Transaction == o.TransactionID
}

// lacksOurs reports whether the statement knows the transactions of an order, and not the one that the distributor
// named.
func lacksOurs(o *search.Standing, a account) bool {
	named := slices.ContainsFunc(a.charges, func(c statement.Line) bool { return c.Transaction != "" })
	return named && o.TransactionID != "" &&
		!slices.ContainsFunc(a.charges, func(c statement.Line) bool { return isOurs(o, c) })
}

// agrees reports whether charges are of the order's phone, amount and time, as far as they say.
func (j comparison) agrees(o *search.Standing, charges []statement.Line) bool {
	return len(otherAmounts(charges, o))+len(otherPhones(charges, o))+len(j.otherTimes(charges, o)) == 0
}

func (j comparison) compareStranger(g group, a account) (v decision) {
	if len(a.charges) == 0 {
		if v.all = g.over; j.restored && len(a.pending) > 0 {
			v.add(newFinding(MissingHere, g, nil, a.pending, "we know no such order; not recorded: "+said(a.pending)))
		}
		return v
	}
	v.unclaimed, v.all, v.strangers = a.charges, g.over, int64(len(a.charges))
	f := newFinding(MissingHere, g, nil, a.charges, "we know no such order"+alsoReversed(a))
	switch {
	case j.restored && j.beforeBackup(a):
		f.Detail += "; not recorded: charged before the backup (since), which the restored book has not lost"
		v.add(f)
	case j.restored:
		v.takeLost(g, a, f, j.source)
	default:
		v.add(f)
	}
	return v
}

func alsoReversed(a account) string {
	if len(a.reversals) == 0 {
		return ""
	}
	return "; " + said(a.reversals)
}

func (v *decision) add(f Finding) { v.findings = append(v.findings, f) }

// addDisputed adds a finding against an order. It is a dispute if the order is final and the lines are surely its own:
// those that say that it was not charged must be of its phone, amount and time.
func (v *decision) addDisputed(f Finding, o *search.Standing, j comparison, surely bool) {
	if !surely || !o.State.Final() {
		v.add(f)
		return
	}
	v.later = append(v.later, pendingFinding{Order: *o, Finding: f, Dispute: j.source + ", " + f.Detail})
}

func (v *decision) compareSold(g group, a account, o *search.Standing, j comparison, claimed bool) {
	v.sold = &soldOrder{Standing: o, named: namedDenied}
	switch {
	case len(a.charges) == 0 && len(a.notCharged())+len(a.pending) > 0:
		v.contradicts++
		lines := slices.Concat(a.notCharged(), a.pending)
		surely := len(a.pending)+len(a.unreadable) == 0 && !g.over && j.agrees(o, lines)
		v.addDisputed(newFinding(NotCharged, g, o, lines, said(lines)), o, j, surely)
		return
	case len(a.charges) == 0:
		return // a line that cannot be read is reported as such
	case len(a.reversals) > 0:
		v.contradicts++
		v.add(newFinding(NotCharged, g, o, a.reversals,
			fmt.Sprintf("charged in line %d; %s", a.charges[0].Number, said(a.reversals))))
	case claimed && len(a.unreadable) == 0 && len(j.otherTimes(a.charges, o)) == 0:
		v.sold.named = namedAsOurs
		v.supports++
	case lacksOurs(o, a):
		v.contradicts++
	default:
		v.sold.named = namedAsElse
		if slices.ContainsFunc(a.charges, func(c statement.Line) bool { return j.agrees(o, []statement.Line{c}) }) {
			v.sold.named = namedToo
		}
		v.contradicts++
	}
	v.addDuplicates(g, a, o)
	if wrong := otherAmounts(a.charges, o); len(wrong) > 0 {
		v.add(newFinding(AmountDiffers, g, o, wrong, fmt.Sprintf("%s here, %s there", o.Amount, *wrong[0].Amount)))
	}
	if wrong := otherPhones(a.charges, o); len(wrong) > 0 {
		v.add(newFinding(PhoneDiffers, g, o, wrong, fmt.Sprintf("%s here, %s there", o.Phone.Digits(), wrong[0].Phone)))
	}
	if c := a.charges[0]; len(a.charges) == 1 && o.TransactionID != "" && c.Transaction != "" &&
		c.Transaction != o.TransactionID {
		v.add(newFinding(TransactionDiffers, g, o, a.charges,
			fmt.Sprintf("%s here, %s there", o.TransactionID, c.Transaction)))
	}
	v.matched = len(v.findings) == 0
}

// addDuplicates names what is charged, or named, more than once.
func (v *decision) addDuplicates(g group, a account, o *search.Standing) {
	more := ""
	if g.over {
		more = "more than "
	}
	if len(a.charges) > 1 {
		detail := fmt.Sprintf("%s%d charges", more, len(a.charges))
		if a.charges[0].Transaction == "" {
			detail += "; without the distributor's ids they could be one"
		}
		v.add(newFinding(ChargedTwice, g, o, a.charges, detail))
	}
	if len(a.repeats) > 0 {
		lines := a.repeats
		first := slices.IndexFunc(a.charges, func(c statement.Line) bool { return c.Purchase() == a.repeats[0].Purchase() })
		if first >= 0 {
			lines = append([]statement.Line{a.charges[first]}, a.repeats...)
		}
		v.add(newFinding(RepeatedLine, g, o, lines, fmt.Sprintf("%s%d lines of one charge", more, len(a.repeats)+1)))
	}
}

// compareUnknown: what charged it must agree in all that is known, or somebody must look. Two charges do
// not change that it was charged; the second one is a finding of its own.
func (v *decision) compareUnknown(g group, a account, o *search.Standing, j comparison) {
	o = j.afterBackup(o)
	hold := func(lines []statement.Line, detail string) {
		v.contradicts++
		v.add(newFinding(UnknownHeld, g, o, lines, detail))
	}
	unclear := slices.Concat(a.unreadable, a.pending)
	wrongAmounts, wrongPhones := otherAmounts(a.charges, o), otherPhones(a.charges, o)
	wrongTimes := j.otherTimes(a.charges, o)
	switch {
	case g.over:
		hold(g.lines, fmt.Sprintf("the statement has more than %d lines of it", maxGroup))
	case o.Held && o.Attempts == 0 && len(a.charges) > 0:
		hold(a.charges, "charged, and it was never sent, as far as we know: is the account used elsewhere, or the id?")
	case len(unclear) > 0:
		hold(unclear, said(unclear))
	case len(a.charges) == 0:
		lines := a.notCharged()
		v.absent = &absence{Standing: *o, line: lines[0].Number, status: statusText(lines[0])}
	case len(a.reversals) > 0:
		hold(a.charges, fmt.Sprintf("charged in line %d; %s", a.charges[0].Number, said(a.reversals)))
	case len(wrongAmounts) > 0:
		hold(wrongAmounts, fmt.Sprintf("charged, and the amount differs: %s here, %s there", o.Amount,
			*wrongAmounts[0].Amount))
	case len(wrongPhones) > 0:
		hold(wrongPhones, fmt.Sprintf("charged, and the phone differs: %s here, %s there", o.Phone.Digits(),
			wrongPhones[0].Phone))
	case len(wrongTimes) > 0:
		hold(wrongTimes, fmt.Sprintf("charged, and the time differs: its attempts are from %s to %s here, %s there",
			o.From.Format(time.RFC3339), o.Until.Format(time.RFC3339), wrongTimes[0].At.At.UTC().Format(time.RFC3339)))
	case len(j.hidden(a.charges)) > 0:
		hold(j.hidden(a.charges), fmt.Sprintf(
			"charged, and line %d does not say the phone and the amount in %s, as others do",
			j.hidden(a.charges)[0].Number, topup.Currency))
	default:
		v.supports++
		v.later = append(v.later, foundAs(g, a, o, j.source))
		v.addDuplicates(g, a, o)
	}
}

// foundAs settles an order by the first of its charges.
func foundAs(g group, a account, o *search.Standing, source string) pendingFinding {
	c := slices.MinFunc(a.charges, func(a, b statement.Line) int { return a.At.At.Compare(b.At.At) })
	detail := fmt.Sprintf("line %d: charged", c.Number)
	if c.Transaction != "" {
		detail += " as " + c.Transaction
	}
	if c.Amount == nil {
		detail += "; the amount was not compared"
	}
	f := newFinding(UnknownFound, g, o, a.charges, detail)
	f.Outcome = topup.NullString(topup.ResolvedSucceeded)
	return pendingFinding{Order: *o, Finding: f, Settle: &topup.Resolution{
		Outcome: topup.ResolvedSucceeded, Reason: source + ", " + detail, Attempt: o.Attempt,
		TransactionID: topup.NullString(c.Transaction), Reference: topup.NullString(c.Reference),
		AuthCode: topup.NullString(c.AuthCode),
	}}
}

func otherAmounts(charges []statement.Line, o *search.Standing) []statement.Line {
	return filter(charges, func(l statement.Line) bool { return l.Amount != nil && *l.Amount != o.Amount })
}

func otherPhones(charges []statement.Line, o *search.Standing) []statement.Line {
	return filter(charges, func(l statement.Line) bool { return l.Phone != "" && l.Phone != o.Phone.Digits() })
}

// otherTimes are those of no attempt that can have moved money. An order that had none has no time to compare.
func (j comparison) otherTimes(charges []statement.Line, o *search.Standing) []statement.Line {
	return filter(charges, func(l statement.Line) bool {
		return o.Attempts > 0 && !l.At.IsZero() && !l.At.Within(o.From.Add(-j.slop), o.Until.Add(j.slop))
	})
}

func filter(lines []statement.Line, keep func(statement.Line) bool) (kept []statement.Line) {
	for _, l := range lines {
		if keep(l) {
			kept = append(kept, l)
		}
	}
	return kept
}

// times holds the lines' times against those of the order's attempts.
func (v *decision) times(a account, o *search.Standing, slop time.Duration) {
	if o.Attempts == 0 {
		return
	}
	for _, c := range a.charges {
		switch {
		case c.At.IsZero():
		case c.At.Within(o.From.Add(-slop), o.Until.Add(slop)):
			v.agrees = append(v.agrees, c.At)
		default:
			v.differs = append(v.differs, c.At)
		}
	}
}

// said says lines in their own words.
func said(lines []statement.Line) string {
	var texts []string
	for _, l := range lines[:min(len(lines), 3)] {
		texts = append(texts, fmt.Sprintf("line %d says %s", l.Number, statusText(l)))
	}
	if more := len(lines) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

func statusText(l statement.Line) string {
	switch {
	case l.Kind == statement.Unreadable:
		return "what cannot be read"
	case l.Status == "":
		return l.Kind.String()
	default:
		return fmt.Sprintf("%q (%s)", l.Status, l.Kind)
	}
}

// newFinding is one about lines of a group.
func newFinding(class Class, g group, o *search.Standing, lines []statement.Line, detail string) Finding {
	f := Finding{Class: class, ID: topup.NullString(g.id), Lines: []int64{}, StatementTransactionIDs: []string{},
		Detail: detail}
	if o != nil {
		f.ID, f.State = topup.NullString(o.ID), topup.NullString(o.State)
		f.Amount, f.TransactionID = &o.Amount, topup.NullString(o.TransactionID)
	}
	for _, l := range lines[:min(len(lines), maxNamed)] {
		f.Lines = append(f.Lines, l.Number)
		if l.Transaction != "" && !slices.Contains(f.StatementTransactionIDs, l.Transaction) {
			f.StatementTransactionIDs = append(f.StatementTransactionIDs, l.Transaction)
		}
	}
	if len(lines) > 0 {
		f.StatementAmount = lines[0].Amount
		if at := lines[0].At; !at.IsZero() {
			f.StatementTime = new(at.At.UTC())
		}
		if g := lines[0].Given; g != "" && g != "-" {
			f.Detail += "; the statement calls it " + g
		}
	}
	return f
}
