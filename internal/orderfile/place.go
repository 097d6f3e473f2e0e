// Package orderfile places the orders of a file, a table or NDJSON, and writes what became of each row.
package orderfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"recarga/internal/table"
	"recarga/internal/terminal"
	"recarga/producer"
	"recarga/topup"
)

// Job is a file of orders that are to be placed.
type Job struct {
	// File is its name, for messages; one that ends with .ndjson or .jsonl is no table.
	File string
	// In is the file; Size its length in bytes, -1 where it is not known.
	In   io.Reader
	Size int64
	// Format is how a table is written.
	Format Format
	// Catalog says of an order that it is refused anyway; the API judges.
	Catalog topup.Catalog
	// Results is the file for the result of each row: .csv or .ndjson, compressed if it ends with .gz; empty: none.
	Results string
	// Wait until each order has ended, or is held as unknown.
	Wait bool
	// AsJSON: results are printed, too.
	AsJSON bool
	// Out gets the results of AsJSON, Err what is said to people.
	Out, Err *terminal.Output
}

// Placing is a job that is begun.
type Placing struct {
	Job
	client *producer.Client
	format options
	bar    *progressbar.ProgressBar
	// results gets the result of each row; nil where none are written.
	results results
	discard func() // the results that are not whole

	rows                      []row
	placed, replayed, refused int
	// open are the rows to wait for; nil where nothing is waited for. last is set for the last request for them.
	open *openRows
	last bool
	ends map[topup.State]int
}

// patience is how long a request to an API that does not answer is repeated, for one batch.
const patience = 2 * time.Minute

// New begins a job. The error is a mistake of whoever asks for it.
func New(job Job) (*Placing, error) {
	e := &Placing{Job: job, discard: func() {}, ends: map[topup.State]int{}}
	var err error
	if e.format, err = job.Format.options(job.Catalog); err != nil {
		return nil, err
	}
	if job.Results != "" {
		if sameFile(job.File, job.Results) {
			return nil, fmt.Errorf("--results: %s is the file of the orders; must be another", job.Results)
		}
		if e.results, e.discard, err = resultsOf(job.Results); err != nil {
			return nil, err
		}
	}
	e.bar = job.Err.Progress("placing", job.Size)
	return e, nil
}

// Close removes results that are not whole.
func (e *Placing) Close() { e.discard() }

// Place places the orders, and waits for them if the job says so. The error is a *table.FileError where the file is
// none of orders, so that nothing was placed. After any other, the same job can be run again.
func (e *Placing) Place(ctx context.Context, c *producer.Client) (err error) {
	e.client = c
	if e.Wait {
		if e.open, err = newOpenRows(); err != nil {
			return err
		}
		defer func() { e.open.close() }()
	}
	counted := progressbar.NewReader(e.In, e.bar)
	err = readRows(&counted, e.File, e.format, func(r row) error { return e.take(ctx, r) }, e.note)
	if errors.As(err, new(*table.FileError)) {
		_ = e.bar.Finish()
		return fmt.Errorf("%s: %w", e.File, err)
	}
	if err == nil {
		err = e.send(ctx)
	}
	_ = e.bar.Finish()
	_, _ = fmt.Fprintf(e.Err, "%d placed, %d already there, %d refused\n", e.placed, e.replayed, e.refused)
	if err == nil && e.Wait {
		err = e.wait(ctx)
	}
	if err == nil && e.results != nil {
		err = e.results.end()
	}
	if err != nil {
		return fmt.Errorf("%s: %w; run it again to continue", e.File, err)
	}
	var failed error
	if e.Wait {
		failed = e.ended()
	}
	if e.refused > 0 {
		failed = errors.Join(fmt.Errorf("%s: %s refused", e.File, terminal.CountOf(e.refused, "row was", "rows were")),
			failed)
	}
	return failed
}

// take collects rows until there are enough for one request.
func (e *Placing) take(ctx context.Context, r row) error {
	if r.request.Priority == "" {
		r.request.Priority = topup.PriorityBulk
	}
	if e.rows = append(e.rows, r); len(e.rows) < producer.MaxBatch {
		return nil
	}
	return e.send(ctx)
}

// send places the valid rows and reports all of them in the file's order, as far as there are answers.
func (e *Placing) send(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var requests []topup.Request
	for _, r := range e.rows {
		if r.err == nil {
			requests = append(requests, r.request)
		}
	}
	results, err := e.client.PlaceMany(ctx, requests)
	for _, r := range e.rows {
		result := producer.Placed{Err: r.err}
		if r.err == nil {
			if len(results) == 0 {
				break // not answered; err says why
			}
			result, results = results[0], results[1:]
		}
		if err := e.answered(r, result); err != nil {
			return err
		}
	}
	e.rows = e.rows[:0]
	return err
}

func (e *Placing) answered(r row, answer producer.Placed) error {
	switch {
	case answer.Err != nil && r.result != "":
		return fmt.Errorf("line %d: %w", r.line, answer.Err)
	case answer.Err != nil:
		return e.refuse(r, answer.Err)
	case r.result != "":
	case answer.Replayed:
		r.result = "already_there"
		e.replayed++
	default:
		r.result = "placed"
		e.placed++
	}
	o := answer.Order
	if e.open != nil && !o.State.Final() && !e.last {
		return e.open.add(r, o)
	}
	e.ends[o.State]++
	return e.report(Result{Line: r.line, ID: r.request.ID, Result: r.result, Order: &o})
}

// note reports what of the file is no row.
func (e *Placing) note(text string) {
	_ = e.bar.Clear()
	_, _ = fmt.Fprintln(e.Err, "note: "+terminal.Printable(text))
}

func (e *Placing) report(r Result) error {
	if e.results != nil {
		if err := e.results.add(r); err != nil {
			return err
		}
	}
	if !e.AsJSON {
		return nil
	}
	return terminal.PrintJSON(e.Out, r)
}

// refuse reports a bad row, with every reason.
// named are the reasons why a row was refused, with the order's id where it has one.
func (r row) named(reasons []string) string {
	if r.request.ID != "" {
		reasons = append([]string{string(r.request.ID) + ": " + reasons[0]}, reasons[1:]...)
	}
	return strings.Join(reasons, "; ")
}

func (e *Placing) refuse(r row, err error) error {
	e.refused++
	reasons := strings.Split(err.Error(), "\n")
	if !e.AsJSON {
		_ = e.bar.Clear()
		if _, err := fmt.Fprintf(e.Err, "line %d: %s\n", r.line, terminal.Printable(r.named(reasons))); err != nil {
			return err
		}
	}
	return e.report(Result{Line: r.line, ID: r.request.ID, Result: "refused", Errors: reasons})
}
