package reconcile_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"recarga/internal/sandbox"
	"recarga/topup"
)

// The columns of the sandbox's statement.
const (
	colDate = iota
	colTransaction
	colID
	colPhone
	colProduct
	colAmount
	colCurrency
	colReference
	colAuth
	colCode
	colStatus
)

// row is a line of a statement, and the charge of the ledger that it says of; nil where it says of none.
type row struct {
	cells []string
	of    *sandbox.Purchase
}

// file is a statement before it is written.
type file struct {
	w       *world
	head    []string
	rows    []row
	comma   rune
	options url.Values
	// mangle spoils what was written.
	mangle []func([]byte) []byte
	// unseen are the columns that were taken out.
	unseen []int
	// allIDs says that the ids of all lines were changed.
	allIDs bool
	// done names what was done to it.
	done []string
}

// newFile is the whole statement, as the sandbox writes it.
func newFile(t *testing.T, w *world) *file {
	t.Helper()
	purchases := w.inOrder()
	text, err := sandbox.Statement(purchases)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(lines) != len(purchases)+1 {
		t.Fatal(len(lines), err)
	}
	f := &file{w: w, head: lines[0], comma: ',', options: url.Values{}}
	for i, cells := range lines[1:] {
		f.rows = append(f.rows, row{cells, &purchases[i]})
	}
	return f
}

func (f *file) write() []byte {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.Comma = f.comma
	_ = out.Write(f.head) // to memory
	for _, r := range f.rows {
		_ = out.Write(r.cells)
	}
	out.Flush()
	text := b.Bytes()
	for _, m := range f.mangle {
		text = m(text)
	}
	return text
}

func (f *file) any() *row { return &f.rows[f.w.IntN(len(f.rows))] }

// doubtful is a row of an order that we do not know the fate of, or any.
func (f *file) doubtful() *row {
	if of := f.w.unknown(); len(of) > 0 && !f.w.one(4) {
		id := string(of[f.w.IntN(len(of))].ID)
		if i := slices.IndexFunc(f.rows,
			func(r row) bool { return r.of != nil && r.of.DistributorTransactionID == id }); i >= 0 {
			return &f.rows[i]
		}
	}
	return f.any()
}

// some calls change with a few rows, one of them often of an order in doubt.
func (f *file) some(change func(*row)) {
	change(f.doubtful())
	for range f.w.IntN(4) {
		change(f.any())
	}
}

func (f *file) all(column int, change func(string) string) {
	for i := range f.rows {
		f.rows[i].cells[column] = change(f.rows[i].cells[column])
	}
}

// someOrAll changes a column of a few rows, or of all.
func (f *file) someOrAll(column int, change func(string) string) {
	if f.w.one(2) {
		f.all(column, change)
		f.allIDs = f.allIDs || column == colID
		return
	}
	f.some(func(r *row) { r.cells[column] = change(r.cells[column]) })
}

func (f *file) drop(gone func(row) bool) { f.rows = slices.DeleteFunc(f.rows, gone) }

func (r row) at() time.Time {
	if r.of == nil {
		return time.Time{}
	}
	return r.of.ChargedAt
}

// change is one thing that is done to a statement.
type change struct {
	name string
	do   func(*file)
}

// styles are other ways to write a whole statement: nothing is lost by any.
func styles() []change {
	return []change{
		{"as it is", func(*file) {}},
		{"in no order", func(f *file) {
			f.w.Shuffle(len(f.rows), func(i, j int) { f.rows[i], f.rows[j] = f.rows[j], f.rows[i] })
		}},
		{"Spanish", func(f *file) {
			f.head = []string{
				"Fecha y hora", "Folio", "Referencia cliente", "Telefono", "Product", "Monto", "Moneda", "Referencia",
				"Autorizacion",
				"Codigo de respuesta", "Estatus",
			}
			f.comma = ';'
			f.all(colAmount, func(s string) string { return strings.ReplaceAll(s, ".", ",") })
			f.times("02/01/2006 15:04:05")
		}},
		{"without seconds", func(f *file) { f.times("2006-01-02 15:04") }},
		{"the least columns", func(f *file) { f.keep(colDate, colID, colPhone, colAmount) }},
		{"without the distributor's ids", func(f *file) { f.keep(colDate, colID, colPhone, colAmount, colStatus) }},
		{"with what was declined", func(f *file) {
			for _, o := range f.w.orders {
				if o.charges == 0 && o.Attempt > 0 {
					cells := slices.Clone(f.rows[0].cells)
					cells[colDate], cells[colID], cells[colPhone] = o.From.Format(time.RFC3339), string(o.ID), o.Phone.Digits()
					cells[colTransaction], cells[colReference], cells[colAuth] = "", "", ""
					cells[colAmount], cells[colCode], cells[colStatus] = o.Amount.String(), "51", "Rechazado"
					f.rows = append(f.rows, row{cells: cells})
				}
			}
		}},
	}
}

// times writes the times as of Mexico City.
func (f *file) times(layout string) {
	zone, err := time.LoadLocation("America/Mexico_City")
	if err != nil {
		panic(err)
	}
	f.all(colDate, func(s string) string {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return s
		}
		return at.In(zone).Format(layout)
	})
}

// keep empties the columns but those, and takes them out of the header and the lines.
func (f *file) keep(columns ...int) {
	var kept []int // of the columns that are left by now
	left := 0
	for c := range f.head {
		if slices.Contains(f.unseen, c) {
			continue
		}
		if slices.Contains(columns, c) {
			kept = append(kept, left)
		} else {
			f.unseen = append(f.unseen, c)
		}
		left++
	}
	f.mangle = append(f.mangle, func(text []byte) []byte { return cut(text, kept) })
}

func cut(text []byte, columns []int) []byte {
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil { // it was spoilt already
		return text
	}
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	for _, l := range lines {
		var kept []string
		for _, c := range columns {
			if c < len(l) {
				kept = append(kept, l[c])
			}
		}
		_ = out.Write(kept) // to memory
	}
	out.Flush()
	return b.Bytes()
}

// spoils are the ways in which statements lie.
func spoils() []change {
	return []change{
		{"lines dropped", func(f *file) {
			lost := f.doubtful().of
			rate := pick(f.w, 200, 50, 10, 3)
			f.drop(func(r row) bool { return r.of == lost || f.w.one(rate) })
		}},
		{"an hour cut out", func(f *file) {
			middle, half := f.doubtful().at(), time.Duration(f.w.Int64N(int64(2*time.Hour)))
			f.drop(func(r row) bool { return r.at().Sub(middle).Abs() < half })
		}},
		{"cut off after a time", func(f *file) {
			end := f.any().at()
			f.drop(func(r row) bool { return r.at().After(end) })
		}},
		{"cut off before a time", func(f *file) {
			start := f.any().at()
			f.drop(func(r row) bool { return r.at().Before(start) })
		}},
		{"only one phone", func(f *file) {
			phone := f.any().cells[colPhone]
			f.drop(func(r row) bool { return r.cells[colPhone] != phone })
		}},
		{"only one amount", func(f *file) {
			amount := f.any().cells[colAmount]
			f.drop(func(r row) bool { return r.cells[colAmount] != amount })
		}},
		{"the file is cut short", func(f *file) {
			n := f.w.IntN(len(f.rows))
			last := strings.Join(f.rows[n].cells, string(f.comma))
			last = last[:f.w.IntN(len(last)+1)]
			f.rows = f.rows[:n]
			f.mangle = append(f.mangle, func(text []byte) []byte { return append(text, last...) })
		}},
		{"the file's lines are sorted by another column, and it is cut short", func(f *file) {
			by := pick(f.w, colTransaction, colID, colPhone, colAmount, colAuth)
			slices.SortStableFunc(f.rows, func(a, b row) int { return strings.Compare(a.cells[by], b.cells[by]) })
			f.rows = f.rows[:f.w.IntN(len(f.rows))+1]
		}},
		{"moved in time", func(f *file) {
			f.some(func(r *row) { r.cells[colDate] = r.at().Add(f.anyTime()).Format(time.RFC3339) })
		}},
		{"another time zone", func(f *file) {
			by := pick(f.w, -6*time.Hour, 6*time.Hour, time.Hour, -time.Hour, 5*time.Hour+30*time.Minute, 24*time.Hour,
				50*time.Minute)
			f.all(colDate, func(s string) string {
				at, err := time.Parse(time.RFC3339, s)
				if err != nil {
					return s
				}
				return at.Add(by).Format(time.RFC3339)
			})
		}},
		{"dates alone", func(f *file) { f.all(colDate, func(s string) string { return s[:min(10, len(s))] }) }},
		{"midnights", func(f *file) { f.all(colDate, func(s string) string { return s[:min(10, len(s))] + " 00:00:00" }) }},
		{"day and month exchanged", func(f *file) {
			f.all(colDate, func(s string) string {
				at, err := time.Parse(time.RFC3339, s)
				if err != nil {
					return s
				}
				return at.Format("01/02/2006 15:04:05Z07:00")
			})
		}},
		{"doubled", func(f *file) {
			f.some(func(r *row) { f.rows = append(f.rows, row{slices.Clone(r.cells), r.of}) })
		}},
		{"doubled with another transaction", func(f *file) {
			f.some(func(r *row) {
				again := slices.Clone(r.cells)
				again[colTransaction], again[colReference] = again[colTransaction]+"B", again[colReference]+"B"
				f.rows = append(f.rows, row{again, r.of})
			})
		}},
		{"statuses changed", func(f *file) {
			status := pick(f.w, "Rechazado", "Reversado", "Pendiente", "1", "", "No aplicada", "Cancelada")
			f.someOrAllStatus(status)
		}},
		{"charges taken back elsewhere", func(f *file) {
			f.some(func(r *row) {
				back := slices.Clone(r.cells)
				back[colStatus], back[colTransaction], back[colReference] = "Reversado", pick(f.w, back[colTransaction], "REV-1",
					""), "REV-2"
				f.rows = append(f.rows, row{cells: back})
			})
		}},
		{"codes changed", func(f *file) {
			f.someOrAll(colCode, func(string) string { return pick(f.w, "51", "96", "05", "7", "") })
		}},
		{"ids cut short", func(f *file) {
			n := 1 + f.w.IntN(3)
			f.someOrAll(colID, func(s string) string { return s[:max(0, len(s)-n)] })
		}},
		{"ids without their beginning", func(f *file) {
			n := 1 + f.w.IntN(4)
			f.someOrAll(colID, func(s string) string { return s[min(n, len(s)):] })
		}},
		{"ids rounded", func(f *file) {
			f.someOrAll(colID, func(s string) string {
				n := 1 + f.w.IntN(2)
				return s[:max(0, len(s)-n)] + strings.Repeat("0", min(n, len(s)))
			})
		}},
		{"ids as numbers", func(f *file) {
			f.someOrAll(colID, func(s string) string { return pick(f.w, s+".0", "2.0251110000E+16", strings.TrimLeft(s, "0")) })
		}},
		{"ids in another case", func(f *file) {
			f.someOrAll(colID, func(s string) string { return pick(f.w, strings.ToUpper(s), strings.ToLower(s)) })
		}},
		{"ids left out", func(f *file) { f.someOrAll(colID, func(string) string { return "" }) }},
		{"ids of another", func(f *file) { f.some(func(r *row) { r.cells[colID] = f.anyID() }) }},
		{"ids exchanged", func(f *file) {
			for range 1 + f.w.IntN(3) {
				a, b := f.doubtful(), f.doubtful()
				a.cells[colID], b.cells[colID] = b.cells[colID], a.cells[colID]
			}
		}},
		{"a hundred charges of one id", func(f *file) {
			id := pick(f.w, "0", f.anyID(), "TIENDA")
			hidden := f.doubtful()
			hidden.cells[colID] = id
			for i := range 150 {
				cells := slices.Clone(f.rows[0].cells)
				cells[colID], cells[colTransaction], cells[colReference] = id, fmt.Sprint("T", i), fmt.Sprint("R", i)
				f.rows = append([]row{{cells: cells}}, f.rows...)
			}
		}},
		{"transactions changed", func(f *file) {
			f.someOrAll(colTransaction,
				func(string) string { return pick(f.w, "", "0", "TXN-1") })
		}},
		{"references changed", func(f *file) {
			f.someOrAll(colReference, func(string) string {
				return pick(f.w, "", "0",
					"RRN-1")
			})
		}},
		{"amounts changed", func(f *file) {
			f.someOrAll(colAmount, func(s string) string {
				return pick(f.w, strings.ReplaceAll(s, ".", ""), strings.ReplaceAll(s, ".", ","), "$ "+s, "1,"+s, "-"+s, "0.58",
					"")
			})
		}},
		{"another currency", func(f *file) {
			f.someOrAll(colCurrency, func(string) string {
				return pick(f.w, "USD", "",
					"units")
			})
		}},
		{"phones changed", func(f *file) {
			f.someOrAll(colPhone, func(s string) string {
				return pick(f.w, "52"+s, "+52 "+s, s[:min(6, len(s))]+"****", "5512345678", "", "5.53769E+09")
			})
		}},
		{"a column renamed", func(f *file) {
			f.head[f.w.IntN(len(f.head))] = pick(f.w, "aplica_reverso", "x", "", "Folio", "Comentario")
		}},
		{"two columns renamed as each other", func(f *file) {
			i, j := f.w.IntN(len(f.head)), f.w.IntN(len(f.head))
			f.head[i], f.head[j] = f.head[j], f.head[i]
		}},
		{"a column dropped", func(f *file) {
			gone := f.w.IntN(len(f.head))
			if gone == colID {
				gone = colStatus
			}
			var kept []int
			for i := range f.head {
				if i != gone {
					kept = append(kept, i)
				}
			}
			f.keep(kept...)
		}},
		{"a column of reversals", func(f *file) {
			f.head = append(f.head, "aplica_reverso")
			for i := range f.rows {
				f.rows[i].cells = append(f.rows[i].cells, pick(f.w, "NO", "NO", "SI"))
			}
		}},
		{"columns moved in a line", func(f *file) {
			f.some(func(r *row) { r.cells = append(r.cells[1:len(r.cells):len(r.cells)], r.cells[0]) })
		}},
		{"a quote too many", func(f *file) {
			f.mangle = append(f.mangle, func(text []byte) []byte {
				i := f.w.IntN(len(text) + 1)
				return slices.Concat(text[:i], []byte(`"`), text[i:])
			})
		}},
		{"a byte lost", func(f *file) {
			f.some(func(r *row) {
				i := f.w.IntN(len(r.cells))
				if n := len(r.cells[i]); n > 0 {
					at := f.w.IntN(n)
					r.cells[i] = r.cells[i][:at] + r.cells[i][at+1:]
				} else {
					r.cells = slices.Delete(slices.Clone(r.cells), i, i+1)
					r.cells = append(r.cells, "") // so that it is as long as others
				}
			})
		}},
		{"two statements in one file", func(f *file) {
			whole, start, end := slices.Clone(f.rows), f.any().at(), f.any().at()
			f.drop(func(r row) bool { return r.at().After(start) })
			for _, r := range whole {
				if r.at().After(end) {
					f.rows = append(f.rows, row{slices.Clone(r.cells), r.of})
				}
			}
		}},
		{"the header again", func(f *file) {
			f.rows = slices.Insert(f.rows, f.w.IntN(len(f.rows)),
				row{cells: slices.Clone(f.head)})
		}},
		{"a total", func(f *file) {
			cells := make([]string, len(f.head))
			cells[0], cells[colAmount] = "TOTAL", "1000.00"
			f.rows = append(f.rows, row{cells: cells})
		}},
		{"garbage", func(f *file) {
			f.mangle = append(f.mangle, func(text []byte) []byte { return append(text, "###;?\n"...) })
		}},
		{"the order is sent again meanwhile", func(f *file) {
			of := f.w.unknown()
			if len(of) == 0 {
				return
			}
			o := of[f.w.IntN(len(of))]
			f.w.onLooked = func() { f.w.sent(o, f.w.start.Add(20*24*time.Hour), true) }
		}},
	}
}

func (f *file) someOrAllStatus(status string) {
	code := pick(f.w, "00", "51", "", "")
	change := func(r *row) {
		if r.cells[colStatus] = status; code != "00" {
			r.cells[colCode] = code
		}
	}
	if f.w.one(2) {
		f.some(change)
		return
	}
	for i := range f.rows {
		change(&f.rows[i])
	}
}

func (f *file) anyTime() time.Duration {
	d := pick(f.w, 3*time.Minute, 2*time.Hour, 72*time.Hour)
	return time.Duration(f.w.Int64N(int64(2*d))) - d
}

func (f *file) anyID() string {
	if f.w.one(4) {
		return "STRANGER"
	}
	return string(f.w.orders[f.w.IntN(len(f.w.orders))].ID)
}

// deniable says that nobody can see that an order was charged: between the first and the last charge that the
// statement says of, it lacks or denies nothing but orders in doubt. Word for word, that is the statement of a world
// in which they were not charged.
// So it is where its charge is another order's, of an attempt of which nothing else is known: see fits.
func (f *file) deniable(o *life, slop time.Duration) bool {
	var first, last time.Time
	there, back := map[string]bool{}, map[string]bool{}
	for _, r := range f.rows {
		if slices.Contains([]string{"Reversado", "Cancelada"}, f.status(r)) {
			back[r.cells[colID]], back[r.cells[colID]+r.cells[colTransaction]] = true, true
		}
	}
	for _, r := range f.rows {
		switch {
		case r.of == nil || f.denies(r):
		case r.of.DistributorTransactionID == string(o.ID):
			if !back[r.cells[colID]+r.cells[colTransaction]] && !f.fits(r, f.w.byID[topup.ID(r.cells[colID])], slop) {
				return false
			}
		case f.status(r) == "Aprobado" && !back[r.cells[colID]]:
			there[r.of.DistributorTransactionID] = true
			if first.IsZero() || r.at().Before(first) {
				first = r.at()
			}
			if r.at().After(last) {
				last = r.at()
			}
		}
	}
	return !slices.ContainsFunc(f.w.ledger, func(p sandbox.Purchase) bool {
		owner := f.w.byID[topup.ID(p.DistributorTransactionID)]
		return owner != nil && owner.State == topup.StateSucceeded && owner.settled == "" && !there[string(owner.ID)] &&
			!p.ChargedAt.Before(first) && !p.ChargedAt.After(last)
	})
}

// status is what a row says of money, as far as it can be seen.
func (f *file) status(r row) string {
	switch {
	case !slices.Contains(f.unseen, colStatus) && r.cells[colStatus] != "":
		return r.cells[colStatus]
	case !slices.Contains(f.unseen, colCode) && r.cells[colCode] != "00" && r.cells[colCode] != "":
		return "Rechazado"
	default:
		return "Aprobado"
	}
}

// denies reports whether a row calls itself no charge.
func (f *file) denies(r row) bool {
	return slices.Contains([]string{"Rechazado", "Reversado", "Cancelada"}, f.status(r))
}

// credible says that nobody can see that an order was not charged: a line says that it was, of its phone, its amount
// and its time, which is none that the book knows of another order: of one that it does not call sold, or a second
// one. Word for word, that is the statement of a world in which this one was charged.
func (f *file) credible(o *life, slop time.Duration) bool {
	return !f.allIDs && slices.ContainsFunc(f.rows, func(r row) bool {
		switch {
		case r.cells[colID] != string(o.ID) || f.status(r) != "Aprobado":
			return false
		case r.of == nil: // it was declined, and the columns that said so are gone
			return slices.Contains(f.unseen, colStatus) && slices.Contains(f.unseen, colCode)
		}
		owner := f.w.byID[topup.ID(r.of.DistributorTransactionID)]
		doubt := owner == nil || owner.State != topup.StateSucceeded || owner.settled != "" ||
			owner.charges > 1 && (owner.TransactionID != r.of.TransactionID || slices.Contains(f.unseen, colTransaction))
		return doubt && f.fits(r, o, slop)
	})
}

// says says that any line has what can be compared in a column.
func (f *file) says(column int, shown func(*file, row) bool) bool {
	return !slices.Contains(f.unseen, column) && slices.ContainsFunc(f.rows, func(r row) bool { return shown(f, r) })
}

func phoneShown(_ *file, r row) bool {
	_, err := topup.ParsePhone(r.cells[colPhone])
	return err == nil
}

func amountShown(f *file, r row) bool {
	return slices.Contains(f.unseen, colCurrency) || r.cells[colCurrency] == "MXN" || r.cells[colCurrency] == ""
}

// shown counts the charges of an order that stand under its id.
func (f *file) shown(o *life) (n int) {
	for _, r := range f.rows {
		if r.of != nil && r.of.DistributorTransactionID == string(o.ID) && r.cells[colID] == string(o.ID) {
			n++
		}
	}
	return n
}

// fits says that a line is of an order's phone, amount and time, and that the order has an attempt that may have made
// the charge: more of them than it has charges in the statement.
func (f *file) fits(r row, o *life, slop time.Duration) bool {
	return o != nil && o.Attempts > f.shown(o) &&
		(r.of.PhoneNumber == o.Phone.Digits() || !f.says(colPhone, phoneShown)) &&
		(r.of.Amount.Equal(decimal.New(int64(o.Amount), -2)) || !f.says(colAmount, amountShown)) &&
		!r.at().Before(o.From.Add(-slop)) && !r.at().After(o.Until.Add(slop))
}
