package reconcile

import (
	"cmp"
	_ "embed" // the report's template
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"recarga/internal/csvsafe"
	"recarga/topup"
)

// Report collects findings for people: the counts, and the first of each class.
type Report struct {
	// Most is how many findings of a class are kept.
	Most int
	// Summary is the reconciliation's; it comes last.
	Summary Summary
	kept    map[Class][]Finding
}

// NewReport builds a Report that keeps so many findings of each class.
func NewReport(most int) *Report { return &Report{Most: most, kept: map[Class][]Finding{}} }

// Add keeps a finding, if there is room.
func (r *Report) Add(f Finding) {
	if len(r.kept[f.Class]) < r.Most {
		r.kept[f.Class] = append(r.kept[f.Class], f)
	}
}

// Section is what a report says of one class.
type Section struct {
	Fact
	// Count is how many findings there were, and Findings the first of them.
	Count    int64
	Findings []Finding
	// More is how many there are beside Findings.
	More int64
}

// Sections are the classes that something was found of, the worst first. It needs the summary.
func (r *Report) Sections() []Section {
	var sections []Section
	for _, f := range classes {
		if n := r.Summary.Findings[f.Class]; n > 0 {
			kept := r.kept[f.Class]
			sections = append(sections, Section{Fact: f, Count: n, Findings: kept, More: n - int64(len(kept))})
		}
	}
	return sections
}

// Facts are the summary's figures, in words.
func (s Summary) Facts() [][2]string {
	facts := [][2]string{
		{"Statement", s.Statement},
		{"SHA-256", s.SHA256},
		{"Lines", fmt.Sprint(s.Lines)},
		{"Columns", columnsText(s.Columns)},
		{"Covers", "unknown"},
		{"Charged, by the statement", s.Charged.String()},
		{"Sold, by us", s.Sold.String()},
		{"Orders that match", fmt.Sprint(s.Matched)},
	}
	if s.Covers != nil {
		facts[4][1] = s.Covers.From.Format(time.RFC3339) + " to " + s.Covers.Until.Format(time.RFC3339)
	}
	if s.Outside > 0 {
		facts = append(facts, [2]string{"Not named, not covered", fmt.Sprint(s.Outside)})
	}
	if text := settledText(s.Settled); text != "" {
		what := "Settled"
		if s.DryRun {
			what = "Would be settled"
		}
		facts = append(facts, [2]string{what, text})
	}
	if s.Disputed > 0 {
		facts = append(facts, [2]string{"Marked as disputed", fmt.Sprint(s.Disputed)})
	}
	for _, n := range s.NotUnderstood {
		facts = append(facts, [2]string{"Not understood", n})
	}
	for _, n := range s.Notes {
		facts = append(facts, [2]string{"Note", n})
	}
	return facts
}

// String is as in "3 (30 MXN)".
func (t Total) String() string { return fmt.Sprintf("%d (%s %s)", t.Count, t.Amount, topup.Currency) }

func columnsText(columns map[string]string) string {
	var pairs []string
	for _, c := range slices.Sorted(maps.Keys(columns)) {
		pairs = append(pairs, c+"="+columns[c])
	}
	return strings.Join(pairs, ", ")
}

func settledText(settled map[topup.ResolvedAs]int64) string {
	var texts []string
	for _, v := range slices.Sorted(maps.Keys(settled)) {
		texts = append(texts, fmt.Sprintf("%d as %s", settled[v], v))
	}
	return strings.Join(texts, ", ")
}

// FindingHead names the columns of Finding.Row.
func FindingHead() []string {
	return []string{
		"class", "distributor_transaction_id", "state", "lines", "amount", "statement_amount", "transaction_id",
		"statement_transaction_ids",
		"statement_time", "outcome", "settled", "detail",
	}
}

// Row is the finding as texts, by FindingHead.
func (f Finding) Row() []string {
	lines := make([]string, len(f.Lines))
	for i, n := range f.Lines {
		lines[i] = fmt.Sprint(n)
	}
	at := ""
	if f.StatementTime != nil {
		at = f.StatementTime.Format(time.RFC3339)
	}
	settled := ""
	if f.Outcome != "" {
		settled = fmt.Sprint(f.Settled)
	}
	return []string{
		string(f.Class), string(f.ID), string(f.State), strings.Join(lines,
			" "), amountText(f.Amount), amountText(f.StatementAmount), string(f.TransactionID),
		strings.Join(f.StatementTransactionIDs, " "), at, string(f.Outcome), settled, f.Detail,
	}
}

func amountText(a *topup.Amount) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// Differences writes findings as CSV.
type Differences struct{ csv *csv.Writer }

// NewDifferences writes the header.
func NewDifferences(w io.Writer) (*Differences, error) {
	d := &Differences{csv: csv.NewWriter(w)}
	return d, d.csv.Write(FindingHead())
}

// Add writes a finding. What a spreadsheet would take for a formula, and run, is made a text: part of it
// comes from the statement.
func (d *Differences) Add(f Finding) error {
	row := f.Row()
	for i, cell := range row {
		row[i] = csvsafe.Harmless(cell)
	}
	return d.csv.Write(row)
}

// End writes what is left.
func (d *Differences) End() error {
	d.csv.Flush()
	return d.csv.Error()
}

//go:embed report.html
var reportHTML string

// HTML writes the report as a page that needs nothing else, made to be printed.
func (r *Report) HTML(w io.Writer, now time.Time) error {
	page, err := template.New("report").Funcs(template.FuncMap{"amount": amountText,
		"join": strings.Join}).Parse(reportHTML)
	if err != nil {
		return err
	}
	return page.Execute(w, struct {
		// What the template shows: the counts, the findings by class, and when the page was made.
		Summary  Summary
		Sections []Section
		Made     string
		Title    string
	}{r.Summary, r.Sections(), now.Format(time.RFC3339), "Reconciliation of " +
		cmp.Or(r.Summary.Statement, "a statement")})
}
