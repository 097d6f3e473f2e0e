package reconcile

import (
	"cmp"
	"errors"
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

// line is one line of a statement.
type line struct {
	number                           int64
	id, transaction, reference, auth string
	phone                            string // 10 digits; empty where it is not known
	amount                           *topup.Amount
	at                               moment
	kind                             kind
	status                           string // in the statement's own words
	// given is what the line has for an id, where it was matched by another.
	given string
}

// reader reads a statement line by line.
type reader struct {
	table  *table.Reader
	opts   Options
	layout layout
	now    time.Time
	says   map[string]kind // of the status column, by word
	given  map[string]kind // those that the operator has given, which count for codes too
	asks   map[string]bool // of the reversal column, by word
	number int64           // of the line that was read last
	// unknown are words that says does not have, at most maxWords; strange counts the lines that have one.
	unknown []string
	strange int64
	// neither is a value of the reversal column that is neither yes nor no.
	neither string
	// raw is the line that was read last; long ones are cut. Valid until the next is read.
	raw []byte
	cut bool
}

// newReader reads the header. Its errors are those of topup.FieldErrors, and those of in.
func newReader(in io.Reader, opts Options, now time.Time) (*reader, error) {
	r := &reader{opts: opts, now: now, says: dictionary(words(), opts.words()), given: dictionary(opts.words()),
		asks: answers()}
	lines, err := table.NewLines(in)
	if err == nil {
		r.table, err = table.NewReader(lines, opts.tableOptions())
	}
	if err != nil {
		return nil, fieldError(err)
	}
	if r.layout = (layout{r.table.Layout()}); !hasIDs(r.layout.Has) {
		return nil, &topup.FieldError{Field: table.PartHeader, Value: strings.Join(r.layout.Head(), ", "),
			Allowed: "the names of the columns, " +
				"with id, transaction_id, reference or auth_code among them: name it with columns, as in id=NAME or id=3"}
	}
	return r, nil
}

// read returns the next line that holds anything, or io.EOF. wrong says what of it cannot be read: then
// its kind is unreadable, and it has only what could be read.
func (r *reader) read() (l line, wrong, err error) {
	for {
		row, err := r.table.Next()
		if err != nil {
			return line{}, nil, err
		}
		r.number, r.raw, r.cut = row.Line, row.Text, row.Long
		if wrong = row.Err; wrong == nil {
			l, wrong = r.parse(row.Cells)
		} else {
			l = line{id: r.text(row.Cells, ColumnID)}
		}
		if row.Early {
			if wrong != nil && !mayBeCharge(l, row.Cells) {
				continue
			}
			wrong = errors.Join(errors.New("a line before the header"), wrong)
		}
		if l.number = row.Line; wrong != nil {
			l.kind = unreadable
		}
		return l, wrong, nil
	}
}

// mayBeCharge distinguishes a broken line from a preamble, whose cells hold nothing of what the columns below them
// hold.
func mayBeCharge(l line, cells []string) bool {
	filled := slices.DeleteFunc(slices.Clone(cells), func(c string) bool { return c == "" })
	return len(filled) > 2 && (l.phone != "" || !l.at.isZero())
}

// parse reads every value, so that all that is wrong is notified at once.
func (r *reader) parse(fields []string) (l line, wrong error) {
	l.id, l.transaction = r.text(fields, ColumnID), r.text(fields, ColumnTransaction)
	l.reference, l.auth = r.text(fields, ColumnReference), r.text(fields, ColumnAuthCode)
	l.status = r.text(fields, ColumnStatus)
	if phone, err := topup.ParsePhone(r.layout.value(fields, ColumnPhone)); err == nil {
		l.phone = phone.Digits()
	}
	var errs [5]error
	l.kind, errs[0] = r.kindOf(fields)
	l.amount, errs[1] = r.amount(fields, l.kind)
	l.at, errs[2] = r.moment(fields)
	l.kind, errs[4] = r.takenBack(fields, l.kind)
	if l.id == "" && l.transaction == "" && l.reference == "" && l.auth == "" {
		errs[3] = r.layout.wrong(ColumnID, "", "an id, here or in another column: without one the line is nobody's")
	}
	return l, errors.Join(errs[:]...)
}

// text is a value that is kept: copied, since the row is one text.
func (r *reader) text(fields []string, c Column) string {
	return strings.Clone(clip.To(r.layout.value(fields, c), maxValue))
}

// maxWords bounds the words of a status that are kept because they are not known.
const maxWords = 20

// notKnown notes a word whose meaning must be given.
func (r *reader) notKnown(word string) {
	r.strange++
	if word = strings.Clone(word); len(r.unknown) < maxWords && !slices.Contains(r.unknown, word) {
		r.unknown = append(r.unknown, word)
	}
}

func (r *reader) kindOf(fields []string) (kind, error) {
	status, code := r.layout.value(fields, ColumnStatus), r.layout.value(fields, ColumnCode)
	byStatus, ok := r.says[word(status)]
	switch {
	case status == "" && r.layout.has(ColumnStatus) && code == "":
		return unreadable, r.layout.wrong(ColumnStatus, status, "a word such as Aprobado, Rechazado or Reversado")
	case status != "" && !ok:
		r.notKnown(status)
		return unreadable, r.layout.wrong(ColumnStatus, status,
			"a word that is known, such as Aprobado, Rechazado or Reversado; "+
				"say what others mean with status, as in %s=charged", word(status))
	case status == "":
		return r.kindOfCode(code)
	}
	byCode, err := r.kindOfCode(code)
	if code != "" && err == nil && (byCode == charged) != (byStatus == charged) && byStatus != reversed {
		return unreadable, r.layout.wrong(ColumnCode, code, "one that agrees with the status %s", status)
	}
	return byStatus, err
}

// kindOfCode: a statement without codes is one of charges. A code that is not the document's says nothing, unless the
// operator has said what.
func (r *reader) kindOfCode(code string) (kind, error) {
	const allowed = "a response code that is known, such as 00 or 51; say what others mean with status, as in " +
		"%s=not_charged"
	if code == "" {
		if r.layout.has(ColumnCode) && !r.layout.has(ColumnStatus) {
			return unreadable, r.layout.wrong(ColumnCode, code, "a response code such as 00 or 51")
		}
		return charged, nil
	}
	if k, ok := r.given[word(code)]; ok {
		return k, nil
	}
	switch topup.Code(code).Class(topup.DefaultRetryCodes()) {
	case topup.OutcomeApproved:
		return charged, nil
	case topup.OutcomeDeclined, topup.OutcomeUnavailable:
		return declined, nil
	}
	if code == "0" { // a spreadsheet took 00 for a number
		return charged, nil
	}
	r.notKnown(code)
	return unreadable, r.layout.wrong(ColumnCode, code, allowed, code)
}

// takenBack is what the columns reversal, debit and credit make of a line's kind.
func (r *reader) takenBack(fields []string, k kind) (kind, error) {
	value := r.layout.value(fields, ColumnReversal)
	yes, known := r.asks[word(value)]
	switch {
	case value != "" && !known:
		r.neither = cmp.Or(r.neither, strings.Clone(value))
		return unreadable, r.layout.wrong(ColumnReversal, value, "yes or no, or empty for no")
	case yes && k == charged:
		k = reversed
	}
	if k != charged {
		return k, nil
	}
	debit, credit := r.layout.value(fields, ColumnDebit), r.layout.value(fields, ColumnCredit)
	if given, err := r.opts.Decimal.Amount(credit); credit != "" && (err != nil || given != 0) {
		return unreadable, r.layout.wrong(ColumnCredit, credit, "empty or 0 for a charge: a credit is money that came back")
	}
	if taken, err := r.opts.Decimal.Amount(debit); r.layout.has(ColumnDebit) && (err != nil || taken == 0) {
		return unreadable, r.layout.wrong(ColumnDebit, debit, "the amount that was taken for a charge")
	}
	return k, nil
}

// amount of a line, in MXN; nil where the statement gives none, or one in another currency.
func (r *reader) amount(fields []string, k kind) (*topup.Amount, error) {
	text := r.layout.value(fields, ColumnAmount)
	if currency := strings.ToUpper(r.layout.value(fields, ColumnCurrency)); currency != "" &&
		!slices.Contains([]string{"MXN", "MXP", "MN", "M.N.", "PESOS", "$"}, currency) {
		return nil, nil
	}
	if !r.layout.has(ColumnAmount) || text == "" && k != charged {
		return nil, nil
	}
	amount, err := r.opts.Decimal.Amount(text)
	if err != nil {
		return nil, r.layout.wrong(ColumnAmount, text, table.MoneyAllowed)
	}
	return &amount, nil
}

func (r *reader) moment(fields []string) (moment, error) {
	if !r.layout.has(ColumnTime) {
		return moment{}, nil
	}
	text := r.layout.value(fields, ColumnTime)
	if r.layout.has(ColumnClock) {
		text += " " + r.layout.value(fields, ColumnClock)
	}
	m, ok := parseMoment(text, r.opts.Dates, r.opts.Zone)
	switch {
	case !ok:
		return m, r.layout.wrong(ColumnTime, strings.TrimSpace(text), "%s", momentAllowed(r.opts.Dates))
	case m.at.After(r.now.AddDate(0, 0, 1)):
		return moment{}, r.layout.wrong(ColumnTime, text, "a time that has been")
	}
	return m, nil
}
