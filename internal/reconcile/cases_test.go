package reconcile_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"recarga/internal/reconcile"
	"recarga/topup"
)

// TestCases reads statements as vendors write them. ORD-1 of 10 and ORD-2 of 20 MXN have succeeded at the times of the
// statements.
func TestCases(t *testing.T) {
	const pipes = "delimiter=|&columns=time=1,phone=6,amount=7,id=12,status=13"
	for _, c := range []struct {
		name, file, query string
		agrees            bool
		matched           int64
		findings          []string // each the beginning of one
		understood        []string // what of NotUnderstood is named; nil: all is understood
		notes             string   // what the notes must have
	}{
		{
			name: "a preamble and a total", file: "preamble-total.csv", agrees: true, matched: 2,
			notes: "not read: lines 1 to 2; line 7 is a total and not a row: TOTAL;;;30,00;",
		},
		{
			name: "none of our ids", file: "folio-only.csv", findings: []string{"missing_here  "},
			notes: "no column holds our ids (Folio is none of them, and is read as transaction_id; else name it with columns)",
		},
		{
			name: "authorisation codes", file: "folio-only.csv", query: "columns=auth_code=Folio",
			findings: []string{"missing_here  "},
			notes:    "Folio is none of them, and is read as auth_code",
		},
		{
			name: "numbers for headers, and columns that nobody has named", file: "pipes-no-header.txt", query: pipes,
			matched:  1,
			findings: []string{"amount_differs ORD-2"}, understood: []string{"column 2", "column 3", "column 4", "column 5",
				"column 8", "column 14"},
		},
		{
			name: "numbers for headers, one of a reversal", file: "pipes-no-header.txt",
			query: pipes + ",reversal=14&ignore_columns=2-5,8-11", matched: 1,
			findings: []string{`not_charged ORD-2 line 2 says "EXITOSA" (reversed)`},
		},
		{
			name: "a column that is not understood", file: "reversal-column.csv", matched: 1,
			understood: []string{"column aplica_reverso"},
		},
		{name: "the column is ignored", file: "reversal-column.csv", query: "ignore_columns=Aplica reverso", agrees: true,
			matched: 1},
		{
			name: "the column is mapped", file: "reversal-column.csv", query: "columns=reversal=aplica_reverso",
			findings: []string{`not_charged ORD-1 line 2 says "Exitosa" (reversed)`},
		},
		{
			name: "a word that is not known", file: "unknown-status.csv", understood: []string{"2 lines with words that are " +
				"not known, such as 1"},
			findings: []string{`bad_line ORD-1 status: "1"`, `bad_line ORD-2 status: "1"`},
		},
		{
			name: "the word is given", file: "unknown-status.csv", query: "status=1=charged", matched: 1,
			findings: []string{"amount_differs ORD-2"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := twoSold(t)
			found, sum := s.reconcileText(caseFile(t, c.file), strings.ReplaceAll(c.query, "|", "%7C"))
			if sum.Agrees != c.agrees || sum.Matched != c.matched {
				t.Errorf("agrees %t, %d matched", sum.Agrees, sum.Matched)
			}
			if !slices.EqualFunc(c.findings, found, func(want, got string) bool { return strings.HasPrefix(got, want) }) {
				t.Errorf("found %q, want %q", found, c.findings)
			}
			named := strings.Join(sum.NotUnderstood, "\n")
			for _, want := range c.understood {
				if !strings.Contains(named, want) {
					t.Errorf("not understood %q, and not %q", sum.NotUnderstood, want)
				}
			}
			if len(c.understood) == 0 && named != "" {
				t.Errorf("not understood: %s", named)
			}
			if notes := strings.Join(sum.Notes, "; "); !strings.Contains(notes, c.notes) {
				t.Errorf("notes %q, want %q", notes, c.notes)
			}
		})
	}
}

// twoSold is a shop whose ORD-1 of 10 and ORD-2 of 20 MXN have succeeded at the times of the cases.
func twoSold(t *testing.T) *shop {
	t.Helper()
	s := emptyShop(t)
	at := time.Date(2025, 11, 24, 16, 0, 0, 0, time.UTC)
	s.accept("ORD-1", "5537686660", topup.Pesos(10), at)
	s.attempt("ORD-1", 0, topup.StateSucceeded, at)
	s.accept("ORD-2", "5537686661", topup.Pesos(20), at.Add(time.Minute))
	s.attempt("ORD-2", 0, topup.StateSucceeded, at.Add(time.Minute))
	return s
}

// TestCaseKinds has others of the kinds that the cases stand for: how each file would be written by another program.
func TestCaseKinds(t *testing.T) {
	const (
		semicolons = "Fecha;Id;Telefono;Monto;Estatus\n"
		rows       = "24/11/2025 10:00:00;ORD-1;5537686660;10,00;Exitosa\n24/11/2025 " +
			"10:01:00;ORD-2;5537686661;20,00;Exitosa\n"
		one     = "2025-11-24 10:00:00,ORD-1,5537686660,10.00,"
		numbers = "columns=time=1,id=2,phone=3,amount=4,status=5"
	)
	for _, c := range []struct {
		name, text, query string
		agrees            bool
		matched           int64
		understood        string // how NotUnderstood begins; empty: all is understood
	}{
		{"a preamble with all delimiters, a total in another column, a count",
			"Reporte de ventas;;;;\nPeriodo;24/11/2025;;;\n;;;;\n" +
				semicolons + rows + ";;Total general;30,00;\n2 registros;;;;\n", "", true, 2, ""},
		{"a preamble with an open quote", "\"Reporte de ventas\n" + semicolons + rows, "", true, 2, ""},
		{"a preamble with names of columns", "Cliente: X; Fecha: 24/11/2025\n\n" + semicolons + rows +
			"TOTALES:;;;\"30,00\";\n", "", true, 2, ""},
		{"a date and a phone in a preamble", "24/11/2025\nTel. 5537686660\n" + semicolons + rows, "", true, 2, ""},
		{"a ruled line and a footer", semicolons + "-----;-----;-----;-----;-----\n" + rows + "Fin del reporte\n", "", true,
			2, ""},
		{"no header, semicolons", rows, numbers, true, 2, ""},
		{"no header, tabs, said so", strings.ReplaceAll(rows, ";", "\t"), numbers + "&no_header=true&delimiter=tab", true, 2,
			""},
		{"no header, a circumflex", strings.ReplaceAll(rows, ";", "^"), numbers + "&delimiter=%5E", true, 2, ""},
		{"no header, a column of its own kind", strings.ReplaceAll(rows, "\n", ";NO\n"), numbers, false, 2, "column 6"},

		{"devuelto", "date,id,phone,amount,status,devuelto\n" + one + "Exitosa,1\n", "", false, 1, "column devuelto"},
		{"tipo de movimiento", "date,id,phone,amount,status,Tipo de movimiento\n" + one + "Exitosa,VENTA\n", "", false, 1,
			"column Tipo de movimiento"},
		{"reverso", "date,id,phone,amount,status,Reverso\n" + one + "Exitosa,\n", "", false, 1, "column Reverso"},
		{"two of status", "date,id,phone,amount,status,estatus\n" + one + "Exitosa,Cancelada\n", "", false, 1,
			"column estatus"},
		{"a column without a name", "date,id,phone,amount,status,\n" + one + "Exitosa,SI\n", "", false, 1, "column 6"},
		{"reversed, in the status", "date,id,phone,amount,status\n" + one + "Reversada\n", "", false, 0, ""},
		{"a negative amount", "date,id,phone,amount,status\n2025-11-24 10:00:00,ORD-1,5537686660,-10.00,Exitosa\n", "",
			false, 0, ""},
		{"a credit", "date,id,phone,amount,status,cargo,abono\n" + one + "Exitosa,,10.00\n", "", false, 0, ""},

		{"a letter", "date,id,phone,amount,status\n" + one + "A\n", "", false, 0,
			"1 lines with words that are not known, such as A"},
		{"zero", "date,id,phone,amount,status\n" + one + "0\n", "", false, 0,
			"1 lines with words that are not known, such as 0"},
		{"another language", "date,id,phone,amount,status\n" + one + "Réussi\n", "", false, 0,
			"1 lines with words that are not known, such as Réussi"},
		{"not known as no", "date,id,phone,amount,status\n" + one + "No entregada\n", "", false, 0, "1 lines with words"},
		{"a code of its own", "date,id,phone,amount,codigo respuesta\n" + one + "E7\n", "", false, 0,
			"1 lines with words that are not known, such as E7"},
		{"a code that is given", "date,id,phone,amount,codigo respuesta\n" + one + "E7\n", "status=E7=charged", true, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := twoSold(t)
			found, sum := s.reconcileText(strings.NewReader(c.text), c.query)
			if sum.Agrees != c.agrees || sum.Matched != c.matched {
				t.Errorf("agrees %t, %d matched\n%s\n%+v", sum.Agrees, sum.Matched, strings.Join(found, "\n"), sum)
			}
			named := strings.Join(sum.NotUnderstood, "; ")
			if !strings.HasPrefix(named, c.understood) || (named == "") != (c.understood == "") {
				t.Errorf("not understood: %s; want %s", named, c.understood)
			}
		})
	}
}

// TestSameStatement: a statement in eight encodings and spellings says the same.
func TestSameStatement(t *testing.T) {
	const text = "Fecha;Id;Teléfono;Monto;Estatus\n24/11/2025 10:00:00;ORD-1;5537686660;10,00;Éxito\n24/11/2025 " +
		"10:01:00;ORD-2;5537686661;1.020,00;Éxito\n"
	comma := strings.NewReplacer("10,00", "10.00", "1.020,00", `"1,020.00"`, ";", ",").Replace(text)
	encoded := func(e encoding.Encoding) string {
		s, err := e.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := []string{"amount_differs ORD-2 20 here, 1020 there"}
	for name, spelled := range map[string]string{
		"UTF-8": text, "UTF-8 with its mark": "\ufeff" +
			text, "commas, decimal point": comma, "CR LF": strings.ReplaceAll(text,
			"\n", "\r\n"),
		"UTF-16 LE": encoded(unicode.UTF16(unicode.LittleEndian,
			unicode.UseBOM)), "UTF-16 BE": encoded(unicode.UTF16(unicode.BigEndian, unicode.UseBOM)),
		"Windows-1252": encoded(charmap.Windows1252), "sep=, capitals, blanks": "sep=;\n" +
			strings.Replace(text, "Fecha;Id;Tel", " FECHA ; ID ;TEL", 1),
		"tabs, CR": strings.NewReplacer(";", "\t", "\n", "\r").Replace(text), "pipes, a preamble": "Ventas\n\n" +
			strings.ReplaceAll(text, ";", "|"),
	} {
		found, sum := twoSold(t).reconcileText(strings.NewReader(spelled), "")
		if diff := cmp.Diff(want, found); diff != "" || sum.Matched != 1 ||
			sum.Charged != (reconcile.Total{Count: 2, Amount: topup.Pesos(1030)}) {
			t.Errorf("%s: %s\n%+v", name, diff, sum)
		}
	}
}

func caseFile(t *testing.T, name string) io.Reader {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "cases", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReader(string(content))
}

// TestNotUnderstoodSettlesNothing: a column, a status or a reversal that is not understood keeps the whole statement
// from settling anything, found or absent; the same statement settles both once it is said what is meant.
func TestNotUnderstoodSettlesNothing(t *testing.T) {
	for _, c := range []struct{ name, column, value, other, said string }{
		{"a column", "color", "azul", "rojo", "ignore_columns=color"},
		{"a status", "estatus", "Lista", "Lista", "status=Lista=charged"},
		{"a code", "response_code", "1", "00", "status=1=charged"},
		{"a reversal", "reversal of it", "quizas", "NO", ""},
		{"a column without a name", "", "?", "", "ignore_columns=8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
			s.order("FOUND", topup.StateUnknown, s.at(day/2))
			s.order("ABSENT", topup.StateUnknown, s.at(day/2+30*time.Minute))
			s.lines["FOUND"] = s.charge("FOUND", s.at(day/2))
			statement := func() io.Reader {
				var b strings.Builder
				b.WriteString(strings.TrimSuffix(strings.Replace(head, "status",
					map[bool]string{true: "was", false: "status"}[c.column == "estatus"], 1),
					"\n") +
					"," + c.column + "\n")
				for id, l := range s.lines {
					value := c.other
					if id == "DAY-003" {
						value = c.value
					}
					b.WriteString(strings.TrimSuffix(l, "\n") + "," + value + "\n")
				}
				return strings.NewReader(b.String())
			}
			query := "absent=failed&ignore_columns=was"
			if c.column != "estatus" {
				query = "absent=failed"
			}
			if c.column == "reversal of it" {
				query += "&columns=reversal=reversal of it"
			}
			_, sum := s.reconcileText(statement(), query)
			if sum.Agrees || len(sum.NotUnderstood) != 1 || len(sum.Settled) > 0 {
				t.Errorf("%+v", sum)
			}
			if found, absent := s.state("FOUND"), s.state("ABSENT"); found != topup.StateUnknown ||
				absent != topup.StateUnknown {
				t.Errorf("%s and %s", found, absent)
			}
			if c.said == "" {
				return
			}
			_, sum = s.reconcileText(statement(), query+"&"+c.said)
			if want := map[topup.ResolvedAs]int64{topup.ResolvedSucceeded: 1, topup.ResolvedFailed: 1}; cmp.Diff(want,
				sum.Settled) != "" {
				t.Errorf("%+v", sum)
			}
		})
	}
}

// TestTakenBack: what a statement calls reversed or credited is no charge.
func TestTakenBack(t *testing.T) {
	s := emptyShop(t)
	_, sum := s.reconcileText(strings.NewReader("id,monto,estatus,cargo,abono,vuelta\n"+
		"A,10,Exitosa,10,,NO\nB,10,Exitosa,10,0.00,\nC,10,Exitosa,10,,Sí\nD,10,Exitosa,,10,NO\nE,10,Exitosa,0,,NO\nF,10,Rechazada,,,SI\nG,10,Exitosa,10,,nunca\n"),
		"columns=reversal=vuelta")
	want := reconcile.Total{Count: 2, Amount: topup.Pesos(20)} // A and B
	if sum.Charged != want || sum.Findings[reconcile.BadLine] != 3 {
		t.Errorf("%+v", sum)
	}
}
