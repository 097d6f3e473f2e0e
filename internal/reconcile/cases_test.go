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
			name: "authorisation codes", file: "folio-only.csv", query: "columns=auth_code=Folio", findings: []string{"missing_here  "},
			notes: "Folio is none of them, and is read as auth_code",
		},
		{
			name: "numbers for headers, and columns that nobody has named", file: "pipes-no-header.txt", query: pipes, matched: 1,
			findings: []string{"amount_differs ORD-2"}, understood: []string{"column 2", "column 3", "column 4", "column 5", "column 8", "column 14"},
		},
		{
			name: "numbers for headers, one of a reversal", file: "pipes-no-header.txt",
			query: pipes + ",reversal=14&ignore_columns=2-5,8-11", matched: 1, findings: []string{`not_charged ORD-2 line 2 says "EXITOSA" (reversed)`},
		},
		{
			name: "a column that is not understood", file: "reversal-column.csv", matched: 1, understood: []string{"column aplica_reverso"},
		},
		{name: "the column is ignored", file: "reversal-column.csv", query: "ignore_columns=Aplica reverso", agrees: true, matched: 1},
		{
			name: "the column is mapped", file: "reversal-column.csv", query: "columns=reversal=aplica_reverso",
			findings: []string{`not_charged ORD-1 line 2 says "Exitosa" (reversed)`},
		},
		{
			name: "a word that is not known", file: "unknown-status.csv", understood: []string{"2 lines with words that are not known, such as 1"},
			findings: []string{`bad_line ORD-1 status: "1"`, `bad_line ORD-2 status: "1"`},
		},
		{
			name: "the word is given", file: "unknown-status.csv", query: "status=1=charged", matched: 1, findings: []string{"amount_differs ORD-2"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := emptyShop(t)
			at := time.Date(2025, 11, 24, 16, 0, 0, 0, time.UTC)
			s.accept("ORD-1", "5537686660", topup.Pesos(10), at)
			s.attempt("ORD-1", 0, topup.StateSucceeded, at)
			s.accept("ORD-2", "5537686661", topup.Pesos(20), at.Add(time.Minute))
			s.attempt("ORD-2", 0, topup.StateSucceeded, at.Add(time.Minute))
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
				b.WriteString(strings.TrimSuffix(strings.Replace(head, "status", map[bool]string{true: "was", false: "status"}[c.column == "estatus"], 1), "\n") +
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
			if found, absent := s.state("FOUND"), s.state("ABSENT"); found != topup.StateUnknown || absent != topup.StateUnknown {
				t.Errorf("%s and %s", found, absent)
			}
			if c.said == "" {
				return
			}
			_, sum = s.reconcileText(statement(), query+"&"+c.said)
			if want := map[topup.Verdict]int64{topup.VerdictSucceeded: 1, topup.VerdictFailed: 1}; cmp.Diff(want, sum.Settled) != "" {
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
