package reconcile

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"unicode"

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
)

// headings are the names that a column goes by, as plain has them, the surest first.
type headings struct {
	column Column
	names  []string
}

func known() []headings {
	return []headings{
		{ColumnID, []string{
			"distributor transaction id", "client transaction id", "client reference", "customer reference", "merchant reference",
			"external id", "external reference", "order id", "order number", "order", "id transaccion distribuidor",
			"id de transaccion del distribuidor", "id transaccion cliente", "referencia cliente", "referencia del cliente", "referencia externa",
			"id externo", "id pedido", "id de pedido", "numero de pedido", "pedido", "id orden", "id de orden", "orden", "folio cliente",
		}},
		{ColumnTransaction, []string{
			"transaction id", "txn id", "trx id", "transaction", "txn", "operation id", "id transaccion", "id de transaccion", "id de la transaccion",
			"numero de transaccion", "transaccion", "id operacion", "id de operacion", "folio",
		}},
		{ColumnReference, []string{"reference", "rrn", "operator reference", "carrier reference", "referencia", "referencia operador", "referencia del operador"}},
		{ColumnAuthCode, []string{
			"auth code", "authorization code", "authorization", "autorizacion", "codigo autorizacion", "codigo de autorizacion",
			"numero de autorizacion", "no autorizacion",
		}},
		{ColumnAmount, []string{
			"amount mxn", "amount", "topup amount", "face value", "monto mxn", "monto", "monto recarga", "monto de la recarga", "importe mxn", "importe",
			"valor", "denominacion",
		}},
		{ColumnCurrency, []string{"currency", "moneda", "divisa"}},
		{ColumnTime, []string{
			"timestamp", "datetime", "date time", "transaction date", "transaction time", "created at", "charged at", "date", "time", "fecha y hora",
			"fecha hora", "fecha transaccion", "fecha de transaccion", "fecha de la transaccion", "fecha operacion", "fecha de operacion", "fecha",
		}},
		{ColumnClock, []string{"time of day", "hour", "time", "hora", "hora transaccion", "hora de transaccion", "hora operacion"}},
		{ColumnStatus, []string{"status", "state", "result", "estado", "estatus", "resultado"}},
		{ColumnCode, []string{"response code", "result code", "codigo respuesta", "codigo de respuesta"}},
		{ColumnPhone, []string{
			"phone number", "phone", "msisdn", "mobile number", "telefono", "numero telefono", "numero de telefono", "numero telefonico", "celular", "numero celular",
			"numero de celular",
		}},
	}
}

func isColumn(c Column) bool {
	return slices.ContainsFunc(known(), func(h headings) bool { return h.column == c })
}

func columnList() string {
	var names []string
	for _, h := range known() {
		names = append(names, string(h.column))
	}
	return strings.Join(names, ", ")
}

// accents are the letters of Spanish headers, without what is often lost on the way.
var accents = strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ü", "u", "ñ", "n")

// plain is a header's name as names are compared: "ID_Transacción" is "id transaccion".
func plain(name string) string {
	words := strings.FieldsFunc(accents.Replace(strings.ToLower(name)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(words, " ")
}

// parseColumns reads COLUMN=NAME pairs, separated by commas; a pair whose name has a comma is quoted, as in CSV.
func parseColumns(s string) (map[Column]string, error) {
	refused := &topup.FieldError{Field: "columns", Value: s, Allowed: "COLUMN=NAME,…, of the columns " + columnList()}
	r := csv.NewReader(strings.NewReader(s))
	pairs, err := r.Read()
	if err != nil {
		return nil, refused
	}
	columns := map[Column]string{}
	for _, pair := range pairs {
		column, name, ok := strings.Cut(pair, "=")
		c := Column(strings.TrimSpace(column))
		if !ok || !isColumn(c) || strings.TrimSpace(name) == "" || columns[c] != "" {
			return nil, refused
		}
		columns[c] = strings.TrimSpace(name)
	}
	return columns, nil
}

// layout says which field of a line holds what.
type layout struct {
	at   map[Column]int
	head []string
}

// newLayout finds the columns of a header: those that are named, and the others by their names.
func newLayout(head []string, named map[Column]string) (layout, error) {
	l := layout{at: map[Column]int{}, head: head}
	taken := map[int]bool{}
	for column, name := range named {
		i := slices.Index(head, name)
		if i < 0 {
			i = slices.IndexFunc(head, func(h string) bool { return plain(h) == plain(name) })
		}
		if i < 0 {
			return l, &topup.FieldError{Field: "columns", Value: string(column) + "=" + name, Allowed: "a column of the statement: " + strings.Join(head, ", ")}
		}
		l.at[column], taken[i] = i, true
	}
	for _, k := range known() {
		if _, done := l.at[k.column]; done {
			continue
		}
		if i := find(head, k.names, taken); i >= 0 {
			l.at[k.column], taken[i] = i, true
		}
	}
	_, byID := l.at[ColumnID]
	_, byTransaction := l.at[ColumnTransaction]
	_, byReference := l.at[ColumnReference]
	if !byID && !byTransaction && !byReference {
		return l, &topup.FieldError{Field: "header", Value: strings.Join(head, ", "), Allowed: "the names of the columns; " +
			"with id, transaction_id or reference among them: name it with columns, as in id=NAME"}
	}
	return l, nil
}

func find(head, names []string, taken map[int]bool) int {
	for _, name := range names {
		for i, h := range head {
			if !taken[i] && plain(h) == name {
				return i
			}
		}
	}
	return -1
}

func (l layout) has(c Column) bool { _, ok := l.at[c]; return ok }

// value is a line's, without the blanks around it.
func (l layout) value(fields []string, c Column) string {
	i, ok := l.at[c]
	if !ok || i >= len(fields) {
		return ""
	}
	return strings.TrimSpace(fields[i])
}

// name is how the statement calls a column.
func (l layout) name(c Column) string {
	if i, ok := l.at[c]; ok {
		return l.head[i]
	}
	return string(c)
}

func (l layout) names() map[Column]string {
	names := map[Column]string{}
	for column, i := range l.at {
		names[column] = l.head[i]
	}
	return names
}

// LineError is a value of a line that cannot be read.
type LineError struct {
	Column, Value, Allowed string
}

func (e *LineError) Error() string {
	f := topup.FieldError{Field: e.Column, Value: e.Value, Allowed: e.Allowed}
	return f.Error()
}

func (l layout) wrong(c Column, value, allowed string, args ...any) error {
	if c == ColumnPhone {
		value = topup.MaskPhone(value)
	}
	return &LineError{Column: l.name(c), Value: value, Allowed: fmt.Sprintf(allowed, args...)}
}
