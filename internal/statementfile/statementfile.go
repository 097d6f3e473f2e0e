// Package statementfile sends a statement of the distributor to the API, which compares it with the book, and shows
// what was found: on the terminal, in a page, in a CSV file.
package statementfile

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"recarga/internal/reconcile"
	"recarga/internal/terminal"
	"recarga/internal/wholefile"
	"recarga/producer"
)

// pageMost is how many findings of a class the page shows.
const pageMost = 1000

// Job is a statement that is to be compared.
type Job struct {
	// In is the statement; Size its length in bytes, -1 where it is not known.
	In   io.Reader
	Size int64
	// Options are those of the API.
	Options producer.ReconcileOptions
	// Show is how many findings of each class are printed.
	Show int
	// AsJSON: the API's answer is printed, and nothing else on Out.
	AsJSON bool
	// Page and CSV are files for all findings: a page to be read or printed, and a table; empty: none.
	Page, CSV string
	// Out gets the findings, Err the progress.
	Out, Err *terminal.Output
}

// ErrDiffer is that the statement and the book differ, or something is left to check.
var ErrDiffer = errors.New("the statement and the book do not agree")

// FileError is a file of the job that cannot be written. Nothing was sent.
type FileError struct{ error }

// run is a job under way.
type run struct {
	Job
	out         *bufio.Writer
	bar         *progressbar.ProgressBar
	report      *reconcile.Report
	differences *reconcile.Differences // nil: none are wanted
	ended       bool
}

// Reconcile sends a statement. What was settled before an error stays settled; the same job can be run again. An error
// is a *producer.Problem where the API refuses it, a FileError, or ErrDiffer.
func Reconcile(ctx context.Context, c *producer.Client, job Job) error {
	r := &run{Job: job, report: reconcile.NewReport(job.Show), out: bufio.NewWriter(job.Out)}
	// The files are made first: what was settled must not be without its report.
	page, discardPage, err := create(job.Page)
	if err != nil {
		return FileError{err}
	}
	defer discardPage()
	csv, discardCSV, err := create(job.CSV)
	if err != nil {
		return FileError{err}
	}
	defer discardCSV()
	if page != nil {
		r.report.Most = max(job.Show, pageMost)
	}
	if csv != nil {
		if r.differences, err = reconcile.NewDifferences(csv); err != nil {
			return err
		}
	}
	if err := r.send(ctx, c); err != nil {
		return err
	}
	if r.differences != nil {
		err = errors.Join(r.differences.End(), csv.Close())
	}
	if page != nil {
		err = errors.Join(err, r.report.HTML(page, time.Now()), page.Close())
	}
	if !r.AsJSON {
		err = errors.Join(r.print(r.out), err)
	}
	err = errors.Join(r.out.Flush(), err)
	if !r.report.Summary.Agrees {
		err = errors.Join(err, ErrDiffer)
	}
	return err
}

// create is nil without a name.
func create(name string) (w io.WriteCloser, discard func(), err error) {
	if name == "" {
		return nil, func() {}, nil
	}
	return wholefile.ByName(name)
}

func (r *run) send(ctx context.Context, c *producer.Client) error {
	r.bar = r.Err.Progress("sending", r.Size)
	defer func() { _ = r.bar.Finish() }()
	counted := progressbar.NewReader(r.In, r.bar)
	err := c.Reconcile(ctx, &counted, r.Options, r.take)
	if err == nil && !r.ended {
		err = errors.New("the answer ended without a summary")
	}
	if err != nil && !errors.As(err, new(*producer.Problem)) {
		err = fmt.Errorf("%w; run it again: what was settled stays settled", err)
	}
	return err
}

func (r *run) take(line json.RawMessage) error {
	result, err := reconcile.ParseResult(line)
	if err != nil {
		return err
	}
	if result.Progress != nil {
		r.bar.Describe(fmt.Sprintf("%s: %d", terminal.Printable(result.Progress.Step), result.Progress.Done))
		return nil
	}
	if r.AsJSON {
		_, err = fmt.Fprintf(terminal.JSON(r.out), "%s\n", line)
	}
	if f := result.Finding; f != nil && err == nil {
		r.report.Add(*f)
		if r.differences != nil {
			err = r.differences.Add(*f)
		}
	}
	if result.Summary != nil {
		r.report.Summary, r.ended = *result.Summary, true
	}
	return err
}

// print prints the figures, and then the findings, the worst first.
func (r *run) print(w io.Writer) error {
	for _, fact := range r.report.Summary.Facts() {
		if _, err := fmt.Fprintf(w, "%-26s %s\n", fact[0]+":", terminal.Printable(fact[1])); err != nil {
			return err
		}
	}
	for _, s := range r.report.Sections() {
		if err := r.section(w, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) section(w io.Writer, s reconcile.Section) error {
	if _, err := fmt.Fprintf(w, "\n%s: %d (%s)\n", s.Title, s.Count, s.Means); err != nil {
		return err
	}
	var rows [][]string
	for _, f := range s.Findings[:min(r.Show, len(s.Findings))] {
		cells := f.Row()[1:]
		rows = append(rows, []string{cells[0], cells[1], cells[2], cells[3], cells[4], cells[8], cells[10]})
	}
	head := []string{"ORDER", "STATE", "LINES", "HERE", "THERE", "OUTCOME", "DETAIL"}
	screen := r.Out.Screen()
	screen.Writer = w
	if err := screen.Table(head, rows, "OUTCOME", "HERE", "THERE"); err != nil {
		return err
	}
	if more := s.Count - int64(len(rows)); more > 0 {
		_, err := fmt.Fprintf(w, "… and %d more\n", more)
		return err
	}
	return nil
}
