package statement

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"recarga/internal/table"
	"recarga/topup"
)

// The columns that are understood, by what they hold.
const (
	ColumnID          = "id"
	ColumnTransaction = "transaction_id"
	ColumnReference   = "reference"
	ColumnAuthCode    = "auth_code"
	ColumnAmount      = "amount"
	ColumnCurrency    = "currency"
	ColumnTime        = "time"
	ColumnClock       = "clock"
	ColumnStatus      = "status"
	ColumnCode        = "code"
	ColumnPhone       = "phone"
	// ColumnReversal says yes where a charge was taken back. No header is taken for it: it must be named.
	ColumnReversal = "reversal"
	// ColumnDebit and ColumnCredit say what the distributor's account gave and got by the line.
	ColumnDebit  = "debit"
	ColumnCredit = "credit"
)

// Columns are the columns and the headers that they go by, the surest first.
func Columns() []table.Column {
	return []table.Column{
		{Name: ColumnID, Headers: table.Words("id")},
		{Name: ColumnTransaction, Headers: table.Words("transaction")},
		{Name: ColumnReference, Headers: table.Words("reference")},
		{Name: ColumnAuthCode, Headers: table.Words("auth code")},
		{Name: ColumnAmount, Headers: table.Words("amount"), Total: true},
		{Name: ColumnCurrency, Headers: table.Words("currency"), Total: true, Words: true},
		{Name: ColumnTime, Headers: table.Words("time")},
		{Name: ColumnClock, Headers: table.Words("clock")},
		{Name: ColumnStatus, Headers: table.Words("status"), Words: true},
		{Name: ColumnCode, Headers: table.Words("code")},
		{Name: ColumnPhone, Headers: table.Words("phone")},
		{Name: ColumnReversal, Words: true},
		{Name: ColumnDebit, Headers: table.Words("debit"), Total: true},
		{Name: ColumnCredit, Headers: table.Words("credit"), Total: true},
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
	Columns map[string]string
	// Ignored are headers, or numbers, of columns that say nothing of money.
	Ignored []string
	// NoHeader says that the first line is one of the statement's.
	NoHeader bool
	// Delimiter; 0 is found out.
	Delimiter rune
	// Decimal is the mark before the decimals of an amount; Dates is the order of day and month.
	Decimal table.Decimal
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
	return table.Options{
		Columns: Columns(), Harmless: harmless(), Named: o.Columns, Ignored: o.Ignored, Delimiter: o.Delimiter,
		NoHeader: o.NoHeader, Enough: hasIDs,
	}
}

// hasIDs reports whether the lines can be matched with orders.
func hasIDs(has func(string) bool) bool {
	return slices.ContainsFunc([]string{ColumnID, ColumnTransaction, ColumnReference, ColumnAuthCode}, has)
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

// wrong is a value of a line that cannot be read, under the statement's name of its column.
func (r *Reader) wrong(column, value, allowed string, args ...any) error {
	if column == ColumnPhone {
		value = topup.MaskPhone(value)
	}
	return &topup.FieldError{Field: r.Layout.Name(column), Value: value, Allowed: fmt.Sprintf(allowed, args...)}
}
