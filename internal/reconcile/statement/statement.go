// Package statement reads a statement of the distributor line by line: which column holds what, what a line says of
// money, and when. It knows nothing of orders.
package statement

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"recarga/internal/clip"
	"recarga/internal/table"
	"recarga/topup"
)

// maxValue bounds a value that is kept, in bytes.
const maxValue = 200

// Line is one line of a statement. A value that the statement does not have is empty.
type Line struct {
	// Number of the line in the file, from 1.
	Number int64
	// ID is ours, where the statement has it.
	ID string
	// Transaction and Reference are the distributor's ids of the purchase; AuthCode is the operator's.
	Transaction, Reference, AuthCode string
	// Phone has 10 digits.
	Phone string
	// Amount in MXN; nil where the line has none, or one in another currency.
	Amount *topup.Amount
	// At is when the line says that it was; zero where it does not.
	At Moment
	// Kind is what the line says of money.
	Kind Kind
	// Status is in the statement's own words.
	Status string
	// Given is what the line has for an id, where it was matched by another.
	Given string
}

// Purchase says the lines of one purchase from those of others. Without the distributor's ids, when it is empty,
// that cannot be known, and they count as several: to look at one purchase twice is the lesser harm.
func (l Line) Purchase() string {
	switch {
	case l.Transaction != "":
		return "transaction " + l.Transaction
	case l.Reference != "":
		return "reference " + l.Reference
	default:
		return ""
	}
}

// Reader reads a statement line by line.
type Reader struct {
	table *table.Reader
	opts  Format
	// Layout says which column holds what.
	Layout *table.Layout
	now    time.Time
	says   map[string]Kind // of the status column, by word
	given  map[string]Kind // those that the operator has given, which count for codes too
	asks   map[string]bool // of the reversal column, by word
	// Number of the line that was read last.
	Number int64
	// unknown are words that says does not have, at most maxWords; strange counts the lines that have one.
	unknown []string
	strange int64
	// neither is a value of the reversal column that is neither yes nor no.
	neither string
	// raw is the line that was read last; long ones are cut. Valid until the next is read.
	Raw []byte
	Cut bool
}

// NewReader reads the header. Its errors are those of topup.FieldErrors, and those of in.
func NewReader(in io.Reader, opts Format, now time.Time) (*Reader, error) {
	r := &Reader{opts: opts, now: now, says: dictionary(words(), opts.words()), given: dictionary(opts.words()),
		asks: answers()}
	lines, err := table.NewLines(in)
	if err == nil {
		r.table, err = table.NewReader(lines, opts.tableOptions())
	}
	if err != nil {
		return nil, FieldError(err)
	}
	if r.Layout = r.table.Layout(); !hasIDs(r.Layout.Has) {
		return nil, &topup.FieldError{Field: table.PartHeader, Value: strings.Join(r.Layout.Head(), ", "),
			Allowed: "the names of the columns, " +
				"with id, transaction_id, reference or auth_code among them: name it with columns, as in id=NAME or id=3"}
	}
	return r, nil
}

// Read returns the next line that holds anything, or io.EOF. wrong says what of it cannot be read: then
// its kind is unreadable, and it has only what could be read.
func (r *Reader) Read() (l Line, wrong, err error) {
	for {
		row, err := r.table.Next()
		if err != nil {
			return Line{}, nil, err
		}
		r.Number, r.Raw, r.Cut = row.Line, row.Text, row.Long
		if wrong = row.Err; wrong == nil {
			l, wrong = r.parse(row.Cells)
		} else {
			l = Line{ID: r.text(row.Cells, ColumnID)}
		}
		if row.Early {
			if wrong != nil && !mayBeCharge(l, row.Cells) {
				continue
			}
			wrong = errors.Join(errors.New("a line before the header"), wrong)
		}
		if l.Number = row.Line; wrong != nil {
			l.Kind = Unreadable
		}
		return l, wrong, nil
	}
}

// mayBeCharge distinguishes a broken line from a preamble, whose cells hold nothing of what the columns below them
// hold.
func mayBeCharge(l Line, cells []string) bool {
	filled := slices.DeleteFunc(slices.Clone(cells), func(c string) bool { return c == "" })
	return len(filled) > 2 && (l.Phone != "" || !l.At.IsZero())
}

// parse reads every value, so that all that is wrong is reported at once.
func (r *Reader) parse(fields []string) (l Line, wrong error) {
	l.ID, l.Transaction = r.text(fields, ColumnID), r.text(fields, ColumnTransaction)
	l.Reference, l.AuthCode = r.text(fields, ColumnReference), r.text(fields, ColumnAuthCode)
	l.Status = r.text(fields, ColumnStatus)
	if phone, err := topup.ParsePhone(r.Layout.Value(fields, ColumnPhone)); err == nil {
		l.Phone = phone.Digits()
	}
	var errs [5]error
	l.Kind, errs[0] = r.kindOf(fields)
	l.Amount, errs[1] = r.amount(fields, l.Kind)
	l.At, errs[2] = r.moment(fields)
	l.Kind, errs[4] = r.takenBack(fields, l.Kind)
	if l.ID == "" && l.Transaction == "" && l.Reference == "" && l.AuthCode == "" {
		errs[3] = r.wrong(ColumnID, "", "an id, here or in another column: without one the line is nobody's")
	}
	return l, errors.Join(errs[:]...)
}

// text is a value that is kept: copied, since the row is one text.
func (r *Reader) text(fields []string, c string) string {
	return strings.Clone(clip.To(r.Layout.Value(fields, c), maxValue))
}

// maxWords bounds the words of a status that are kept because they are not known.
const maxWords = 20

// notKnown notes a word whose meaning must be given.
func (r *Reader) notKnown(word string) {
	r.strange++
	if word = strings.Clone(word); len(r.unknown) < maxWords && !slices.Contains(r.unknown, word) {
		r.unknown = append(r.unknown, word)
	}
}

func (r *Reader) kindOf(fields []string) (Kind, error) {
	status, code := r.Layout.Value(fields, ColumnStatus), r.Layout.Value(fields, ColumnCode)
	byStatus, ok := r.says[Word(status)]
	switch {
	case status == "" && r.Layout.Has(ColumnStatus) && code == "":
		return Unreadable, r.wrong(ColumnStatus, status, "a word such as Aprobado, Rechazado or Reversado")
	case status != "" && !ok:
		r.notKnown(status)
		return Unreadable, r.wrong(ColumnStatus, status,
			"a word that is known, such as Aprobado, Rechazado or Reversado; "+
				"say what others mean with status, as in %s=charged", Word(status))
	case status == "":
		return r.kindOfCode(code)
	}
	byCode, err := r.kindOfCode(code)
	if code != "" && err == nil && (byCode == Charged) != (byStatus == Charged) && byStatus != Reversed {
		return Unreadable, r.wrong(ColumnCode, code, "one that agrees with the status %s", status)
	}
	return byStatus, err
}

// kindOfCode: a statement without codes is one of charges. A code that is not the document's says nothing, unless the
// operator has said what.
func (r *Reader) kindOfCode(code string) (Kind, error) {
	const allowed = "a response code that is known, such as 00 or 51; say what others mean with status, as in " +
		"%s=not_charged"
	if code == "" {
		if r.Layout.Has(ColumnCode) && !r.Layout.Has(ColumnStatus) {
			return Unreadable, r.wrong(ColumnCode, code, "a response code such as 00 or 51")
		}
		return Charged, nil
	}
	if k, ok := r.given[Word(code)]; ok {
		return k, nil
	}
	switch topup.Code(code).Class(topup.DefaultRetryCodes()) {
	case topup.OutcomeApproved:
		return Charged, nil
	case topup.OutcomeDeclined, topup.OutcomeUnavailable:
		return Declined, nil
	}
	if code == "0" { // a spreadsheet took 00 for a number
		return Charged, nil
	}
	r.notKnown(code)
	return Unreadable, r.wrong(ColumnCode, code, allowed, code)
}

// takenBack is what the columns reversal, debit and credit make of a line's kind.
func (r *Reader) takenBack(fields []string, k Kind) (Kind, error) {
	value := r.Layout.Value(fields, ColumnReversal)
	yes, known := r.asks[Word(value)]
	switch {
	case value != "" && !known:
		r.neither = cmp.Or(r.neither, strings.Clone(value))
		return Unreadable, r.wrong(ColumnReversal, value, "yes or no, or empty for no")
	case yes && k == Charged:
		k = Reversed
	}
	if k != Charged {
		return k, nil
	}
	debit, credit := r.Layout.Value(fields, ColumnDebit), r.Layout.Value(fields, ColumnCredit)
	if given, err := r.opts.Decimal.Amount(credit); credit != "" && (err != nil || given != 0) {
		return Unreadable, r.wrong(ColumnCredit, credit, "empty or 0 for a charge: a credit is money that came back")
	}
	if taken, err := r.opts.Decimal.Amount(debit); r.Layout.Has(ColumnDebit) && (err != nil || taken == 0) {
		return Unreadable, r.wrong(ColumnDebit, debit, "the amount that was taken for a charge")
	}
	return k, nil
}

// amount of a line, in MXN; nil where the statement gives none, or one in another currency.
func (r *Reader) amount(fields []string, k Kind) (*topup.Amount, error) {
	text := r.Layout.Value(fields, ColumnAmount)
	if currency := strings.ToUpper(r.Layout.Value(fields, ColumnCurrency)); currency != "" &&
		!slices.Contains([]string{"MXN", "MXP", "MN", "M.N.", "PESOS", "$"}, currency) {
		return nil, nil
	}
	if !r.Layout.Has(ColumnAmount) || text == "" && k != Charged {
		return nil, nil
	}
	amount, err := r.opts.Decimal.Amount(text)
	if err != nil {
		return nil, r.wrong(ColumnAmount, text, table.MoneyAllowed)
	}
	return &amount, nil
}

func (r *Reader) moment(fields []string) (Moment, error) {
	if !r.Layout.Has(ColumnTime) {
		return Moment{}, nil
	}
	text := r.Layout.Value(fields, ColumnTime)
	if r.Layout.Has(ColumnClock) {
		text += " " + r.Layout.Value(fields, ColumnClock)
	}
	m, ok := ParseMoment(text, r.opts.Dates, r.opts.Zone)
	switch {
	case !ok:
		return m, r.wrong(ColumnTime, strings.TrimSpace(text), "%s", MomentAllowed(r.opts.Dates))
	case m.At.After(r.now.AddDate(0, 0, 1)):
		return Moment{}, r.wrong(ColumnTime, text, "a time that has been")
	}
	return m, nil
}

// Notes say what is not compared, and what the table says of itself.
func (r *Reader) Notes() []string {
	l := r.Layout
	list := []string{}
	for _, n := range []struct {
		column, text string
	}{
		{ColumnID, noIDs(l) + "lines are matched by the distributor's alone, and no unknown order can be found or be " +
			"absent"},
		{ColumnAmount, "no column holds the amount in MXN: amounts are not compared"},
		{ColumnTime, "no column holds the time: what the statement covers is not known, unless it is given with covers"},
		{ColumnPhone, "no column holds the phone: phones are not compared"},
		{ColumnTransaction, "no column holds the distributor's ids: two lines of one order count as two charges"},
	} {
		if !l.Has(n.column) {
			list = append(list, n.text)
		}
	}
	if !l.Has(ColumnStatus) && !l.Has(ColumnCode) {
		list = append(list, "no column holds the status: every line counts as a charge")
	}
	return append(list, r.table.Notes()...)
}

// noIDs names the columns that hold ids of others.
func noIDs(l *table.Layout) string {
	var others []string
	for _, c := range []string{ColumnTransaction, ColumnReference, ColumnAuthCode} {
		if l.Has(c) {
			others = append(others, fmt.Sprintf("%s is none of them, and is read as %s", l.Name(c), c))
		}
	}
	return "no column holds our ids (" + strings.Join(others, "; ") + "; else name it with columns): "
}

// Doubts say what of the statement is not understood.
func (r *Reader) Doubts() []string {
	list := []string{}
	for _, name := range r.table.NotUnderstood() {
		list = append(list, fmt.Sprintf(
			"column %s: say what it holds with columns, or that it says nothing with ignore_columns",
			strings.TrimPrefix(name, "column ")))
	}
	if r.strange > 0 {
		list = append(list, fmt.Sprintf(
			"%d lines with words that are not known, such as %s: say what they mean with status, as in %s=charged",
			r.strange, strings.Join(r.unknown, ", "), r.unknown[0]))
	}
	if r.neither != "" {
		list = append(list, fmt.Sprintf("column %s: %s is neither yes nor no", r.Layout.Name(ColumnReversal), r.neither))
	}
	return list
}
