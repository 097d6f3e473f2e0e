package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"recarga/internal/reconcile/statement"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/table"
	"recarga/topup"
)

var today = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func options(tb testing.TB, query string) Options {
	tb.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		tb.Fatal(err)
	}
	o, err := ParseOptions(q, today)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// asText is a line in one text.
func asText(l statement.Line, wrong error) string {
	if wrong != nil {
		return fmt.Sprintf("%d %s: %s", l.Number, l.ID, oneLine(wrong))
	}
	text := fmt.Sprintf("%d %s %s/%s/%s %s %s", l.Number, l.ID, l.Transaction, l.Reference, l.AuthCode,
		amountText(l.Amount), l.Kind)
	if !l.At.IsZero() {
		text += " " + l.At.At.UTC().Format(time.RFC3339)
	}
	return text
}

func readAll(tb testing.TB, text, query string) (lines []string, err error) {
	tb.Helper()
	r, err := statement.NewReader(strings.NewReader(text), options(tb, query).Format, today)
	for err == nil {
		var l statement.Line
		var wrong error
		if l, wrong, err = r.Read(); err == nil {
			lines = append(lines, asText(l, wrong))
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return lines, err
}

func TestStatements(t *testing.T) {
	for _, c := range []struct {
		name, query, text string
		want              []string
	}{
		{
			"the sandbox's", "", "date,transaction_id,distributor_transaction_id,phone_number,product_id,amount,currency,reference,auth_code,response_code,status\n" +
				"2026-11-22T18:00:00Z,TXN-1,ORD-1,5537686660,MOVISTAR_TAE,10.00,MXN,RRN-1,A1,00,Aprobado\n",
			[]string{"2 ORD-1 TXN-1/RRN-1/A1 10 charged 2026-11-22T18:00:00Z"},
		},
		{
			"Spanish, semicolons, decimal comma, byte order mark, CRLF, blank lines", "",
			"\ufeffFecha;Hora;Folio;Referencia " +
				"cliente;Importe;Estatus\r\n\r\n22/11/2026;12:00:00;TXN-1;ORD-1;10,50;EXITOSA\r\n;;;;;\r\n22/11/2026;12:01;TXN-2;ORD-2;1.234,50;Rechazada",
			[]string{"3 ORD-1 TXN-1// 10.50 charged 2026-11-22T18:00:00Z",
				"5 ORD-2 TXN-2// 1234.50 declined 2026-11-22T18:01:00Z"},
		},
		{
			"tabs, and the old code of Western Europe", "",
			"ID Transacci\xf3n\tC\xf3digo de respuesta\nTXN-1\t00\nTXN-2\t51\nTXN-3\t\n",
			[]string{
				"2  TXN-1//  charged", "3  TXN-2//  declined",
				"4 : Código de respuesta: an absent or empty value is not allowed; must be a response code such as 00 or 51",
			},
		},
		{
			"named columns, words of its own, another zone",
			"columns=id=Ref,\"transaction_id=N,o\"&charged=Listo&not_charged=Nada&timezone=America/Tijuana&dates=mdy",
			"Ref,\"N,o\",Fecha,Estado\nORD-1,T1,11/22/2026 10:00 AM,Listo\nORD-2,T2,11/22/2026 10:00 " +
				"AM,NADA\nORD-3,T3,11/22/2026 10:00 AM,Tal vez\n",
			[]string{
				"2 ORD-1 T1//  charged 2026-11-22T18:00:00Z", "3 ORD-2 T2//  declined 2026-11-22T18:00:00Z",
				"4 ORD-3: Estado: \"Tal vez\" is not allowed; must be a word that is known, such as Aprobado, Rechazado or " +
					"Reversado; say what others mean with status, as in tal vez=charged",
			},
		},
		{
			"a bad line stops no other, and says all that is wrong", "", "order_id,amount,date,status,code\n" +
				"A,ten,never,Aprobado,\nB,10,2026-11-22,OK,,\n\"C,10,2026-11-22,OK,\nD,10,2026-11-22,OK,\n,10,2026-11-22,OK,\nF,1,2999-01-01,OK,\n",
			[]string{
				"2 A: amount: \"ten\" is not allowed; must be " + table.MoneyAllowed +
					"; date: \"never\" is not allowed; must be " + statement.MomentAllowed(statement.DatesDayFirst),
				"3 B: 6 values, the header has 5",
				"4 : extraneous or missing \" in quoted-field",
				"5 D // 10 charged 2026-11-22T06:00:00Z",
				"6 : order_id: an absent or empty value is not allowed; must be an id, here or in another column: without one " +
					"the line is nobody's",
				"7 F: date: \"2999-01-01\" is not allowed; must be a time that has been",
			},
		},
		{
			"another currency is not compared", "",
			"order_id,amount,currency,status\nA,0.58,USD,Aprobado\nB,10,mxn,Aprobado\nC,,MXN,Reversado\n",
			[]string{"2 A //  charged", "3 B // 10 charged", "4 C //  reversed"},
		},
		{
			"a status and a code that differ", "",
			"order_id,response_code,status\nA,51,Aprobado\nB,00,Rechazado\nC,00,Reversado\nD,00,Pendiente\nE,51,\n",
			[]string{
				"2 A: response_code: \"51\" is not allowed; must be one that agrees with the status Aprobado",
				"3 B: response_code: \"00\" is not allowed; must be one that agrees with the status Rechazado",
				"4 C //  reversed", "5 D: response_code: \"00\" is not allowed; must be one that agrees with the status Pendiente",
				"6 E //  declined",
			},
		},
		{
			"a line that is too long", "", "order_id\n" + strings.Repeat("x", table.MaxRow+1) + "\nB\n",
			[]string{"2 : longer than 65536 bytes", "3 B //  charged"},
		},
		{"a header alone", "", "order_id,amount\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAll(t, c.text, strings.ReplaceAll(c.query, "+", "%2B"))
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

func TestNoStatements(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  `statement: "an empty file"`,
		"\n\n":                              `statement: "an empty file"`,
		"\xff\xfea\x00":                     `header: "a"`,
		"amount,status\n":                   "header: \"amount, status\"",
		"{\"a\":1}\n":                       `statement: "JSON"`,
		"PK\x03\x04\x00\x00\n":              `statement: "an Excel workbook (.xlsx), or another ZIP archive"`,
		"order_id,\"amount\n":               "header: ",
		strings.Repeat("x", table.MaxRow+1): "header: ",
	} {
		_, err := readAll(t, text, "")
		if fields := topup.FieldErrors(err); len(fields) != 1 || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
	if _, err := readAll(t, "a,b\n", "columns=id=c"); err == nil ||
		err.Error() != `columns: "id=c" is not allowed; must be a column of the table: a, b` {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	wrong := url.Values{
		"columns": {"nothing=x"}, "delimiter": {"x"}, "decimal": {"dot"}, "dates": {"ymd"}, "timezone": {"Mexico"},
		"covers": {"2026-11-01..2026-11-30"},
		"margin": {"-1h"}, "absent": {"maybe"}, "dry_run": {"perhaps"}, "name": {strings.Repeat("x", 101)},
		"by": {"ana", "luis"}, "charged": {"Listo"}, "not_charged": {"LISTO"},
	}
	_, err := ParseOptions(wrong, today)
	var named []string
	for _, f := range topup.FieldErrors(err) {
		named = append(named, f.Field)
	}
	slices.Sort(named)
	// covers ends in the future.
	if diff := cmp.Diff([]string{"absent", "by", "columns", "covers", "dates", "decimal", "delimiter", "dry_run",
		"margin", "name", "not_charged", "timezone"}, named); diff != "" {
		t.Error(diff)
	}
	o := options(t, "covers=2026-11-01..2026-11-21")
	if got := o.Covers.From.Format(time.RFC3339) + " " +
		o.Covers.Until.Format(time.RFC3339); got != "2026-11-01T06:00:00Z 2026-11-22T06:00:00Z" {
		t.Errorf("two dates are %s", got)
	}
	o = options(t, "covers=2026-11-01T00:00:00+01:00..2026-11-02T00:00:00Z") // the plus sign was not escaped
	if got := o.Covers.From.Format(time.RFC3339); got != "2026-10-31T23:00:00Z" {
		t.Errorf("a time is %s", got)
	}
	for _, refused := range []string{"2026-11-02..2026-11-01", "2026-11-01", "..", "2026-11-01..today"} {
		if _, err := ParseOptions(url.Values{"covers": {refused}}, today); err == nil {
			t.Errorf("covers %s is taken", refused)
		}
	}
}

// FuzzStatement: whatever comes, a line is read or refused by its number, in order, and what is called
// a charge can be somebody's. Another bad line in front changes nothing but the numbers.
func FuzzStatement(f *testing.F) {
	f.Add([]byte("date,transaction_id,distributor_transaction_id,amount,status\n2026-11-22T18:00:00Z,T,O,10.00,Aprobado\n"),
		"")
	f.Add([]byte("\ufeffFecha;Folio;Pedido;Monto;Estatus\r\n22/11/2026 1:00 p.m.;T;O;\"1.234,50\";Reversado\r\n"),
		"decimal=comma")
	f.Add([]byte("order_id\n\"\n\"a\nb\"\n\x00\xff\n"), "columns=amount=order_id")
	f.Fuzz(func(t *testing.T, data []byte, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		opts, err := ParseOptions(q, today)
		if err != nil {
			return
		}
		head, rest, _ := bytes.Cut(data, []byte("\n"))
		lines := fuzzed(t, data, opts)
		if len(bytes.TrimSpace(head)) == 0 || lines == nil {
			return
		}
		again := fuzzed(t, slices.Concat(head, []byte("\n\"\n"), rest), opts)
		if len(again) == 0 || len(again)-1 != len(lines) {
			t.Fatalf("%d lines, with a bad one in front %d", len(lines), len(again))
		}
		for i, l := range again[1:] {
			l.Number--
			if diff := cmp.Diff(asText(lines[i], nil), asText(l, nil)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func fuzzed(t *testing.T, data []byte, opts Options) (lines []statement.Line) {
	r, err := statement.NewReader(bytes.NewReader(data), opts.Format, today)
	if err != nil {
		if len(topup.FieldErrors(err)) == 0 {
			t.Fatalf("no word of what is allowed: %v", err)
		}
		return nil
	}
	lines = []statement.Line{}
	for {
		l, wrong, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines
		}
		switch {
		case err != nil:
			t.Fatal(err)
		case l.Number < 2 || len(lines) > 0 && l.Number <= lines[len(lines)-1].Number:
			t.Fatalf("line %d after %v", l.Number, lines)
		case (wrong != nil) != (l.Kind == statement.Unreadable):
			t.Fatalf("%+v: %v", l, wrong)
		case wrong == nil && l.ID+l.Transaction+l.Reference == "":
			t.Fatalf("%+v is nobody's", l)
		case l.Amount != nil && *l.Amount < 0:
			t.Fatalf("%+v", l)
		}
		lines = append(lines, l)
	}
}
