package statement

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"recarga/internal/table"
	"recarga/topup"
)

// Column is what a column of a statement holds.
type Column string

// The columns that are understood.
const (
	ColumnID          Column = "id"
	ColumnTransaction Column = "transaction_id"
	ColumnReference   Column = "reference"
	ColumnAuthCode    Column = "auth_code"
	ColumnAmount      Column = "amount"
	ColumnCurrency    Column = "currency"
	ColumnTime        Column = "time"
	ColumnClock       Column = "clock"
	ColumnStatus      Column = "status"
	ColumnCode        Column = "code"
	ColumnPhone       Column = "phone"
	// ColumnReversal says yes where a charge was taken back. No header is taken for it: it must be named.
	ColumnReversal Column = "reversal"
	// ColumnDebit and ColumnCredit say what the distributor's account gave and got by the line.
	ColumnDebit  Column = "debit"
	ColumnCredit Column = "credit"
)

// Columns are the columns and the headers that they go by, the surest first.
func Columns() []table.Column {
	return []table.Column{
		{Name: string(ColumnID), Headers: table.Words("id")},
		{Name: string(ColumnTransaction), Headers: table.Words("transaction")},
		{Name: string(ColumnReference), Headers: table.Words("reference")},
		{Name: string(ColumnAuthCode), Headers: table.Words("auth code")},
		{Name: string(ColumnAmount), Headers: table.Words("amount"), Total: true},
		{Name: string(ColumnCurrency), Headers: table.Words("currency"), Total: true, Words: true},
		{Name: string(ColumnTime), Headers: table.Words("time")},
		{Name: string(ColumnClock), Headers: table.Words("clock")},
		{Name: string(ColumnStatus), Headers: table.Words("status"), Words: true},
		{Name: string(ColumnCode), Headers: table.Words("code")},
		{Name: string(ColumnPhone), Headers: table.Words("phone")},
		{Name: string(ColumnReversal), Words: true},
		{Name: string(ColumnDebit), Headers: table.Words("debit"), Total: true},
		{Name: string(ColumnCredit), Headers: table.Words("credit"), Total: true},
	}
}

// harmless are the headers of columns that say nothing of whether money moved.
func harmless() []string {
	return slices.Concat(table.Words("product"), table.Words("operator"), table.Words("harmless"))
}

// Format is how a statement is written. The zero value reads a statement with a header, whose columns are found by it,
// but for Zone, which must be set.
type Format struct {
	// Columns names columns that are not to be found by their headers: the header, or the column's number.
	Columns map[Column]string
	// Ignored are headers, or numbers, of columns that say nothing of money.
	Ignored []string
	// NoHeader says that the first line is one of the statement's.
	NoHeader bool
	// Delimiter; 0 is found out.
	Delimiter rune
	// Decimal is the mark before the decimals of an amount; Dates is the order of day and month.
	Decimal Decimal
	Dates   Dates
	// Zone is that of times without an offset.
	Zone *time.Location
	// Charged, NotCharged, Reversed and Pending are words of the status column, or codes, beside those that are known.
	Charged, NotCharged, Reversed, Pending []string
}

func (o Format) words() map[Kind][]string {
	return map[Kind][]string{Charged: o.Charged, Declined: o.NotCharged, Reversed: o.Reversed, Pending: o.Pending}
}

// tableOptions are those of the statement's reader.
func (o Format) tableOptions() table.Options {
	named := map[string]string{}
	for column, name := range o.Columns {
		named[string(column)] = name
	}
	return table.Options{
		Columns: Columns(), Harmless: harmless(), Named: named, Ignored: o.Ignored, Delimiter: o.Delimiter,
		NoHeader: o.NoHeader, Enough: hasIDs,
	}
}

// hasIDs reports whether the lines can be matched with orders.
func hasIDs(has func(string) bool) bool {
	return slices.ContainsFunc([]Column{ColumnID, ColumnTransaction, ColumnReference, ColumnAuthCode},
		func(c Column) bool { return has(string(c)) })
}

// FieldError is what the table's reader says of the file or of an option, for the one who sent it.
func FieldError(err error) error {
	var f *table.FileError
	if !errors.As(err, &f) {
		return err
	}
	field := f.Part
	if field == table.PartFile {
		field = "statement"
	}
	return &topup.FieldError{Field: field, Value: f.Value, Allowed: f.Allowed}
}

// Layout says which field of a line holds what.
type Layout struct{ *table.Layout }

// Has reports whether a column of the statement holds it.
func (l Layout) Has(c Column) bool { return l.Layout.Has(string(c)) }

// Value is what a line has in the column; empty where no column holds it.
func (l Layout) Value(fields []string, c Column) string { return l.Layout.Value(fields, string(c)) }

// Name is how the statement calls a column.
func (l Layout) Name(c Column) string { return l.Layout.Name(string(c)) }

// Names are the columns that were found, with the statement's names.
func (l Layout) Names() map[Column]string {
	names := map[Column]string{}
	for column, name := range l.Layout.Names() {
		names[Column(column)] = name
	}
	return names
}

// LineError is a value of a line that cannot be read.
type LineError struct {
	// Column is the statement's name of it; Value is what stands there; Allowed says what may.
	Column, Value, Allowed string
}

func (e *LineError) Error() string {
	f := topup.FieldError{Field: e.Column, Value: e.Value, Allowed: e.Allowed}
	return f.Error()
}

func (l Layout) wrong(c Column, value, allowed string, args ...any) error {
	if c == ColumnPhone {
		value = topup.MaskPhone(value)
	}
	return &LineError{Column: l.Name(c), Value: value, Allowed: fmt.Sprintf(allowed, args...)}
}
