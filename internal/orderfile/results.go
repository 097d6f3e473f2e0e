package orderfile

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"recarga/internal/csvsafe"
	"recarga/internal/terminal"
	"recarga/internal/wholefile"
	"recarga/topup"
)

// Result is the result of a row, as it is printed as JSON.
type Result struct {
	Line   int          `json:"line"` // where the row begins in the file, from 1
	ID     topup.ID     `json:"distributor_transaction_id,omitempty"`
	Result string       `json:"result"`           // placed, already_there or refused
	Order  *topup.Order `json:"topup,omitempty"`  // nil where it was refused
	Errors []string     `json:"errors,omitempty"` // why it was refused
}

// results take the results of the rows.
type results interface {
	add(Result) error
	// end is called once all are added.
	end() error
}

// resultsOf is a results file in the format of its name's ending; it is there under its name once it is whole.
func resultsOf(name string) (r results, discard func(), err error) {
	file, discard, err := wholefile.ByName(name)
	switch {
	case err != nil:
		return nil, nil, err
	case FormatOf(name) == "ndjson":
		return jsonResults{bufio.NewWriter(file), file}, discard, nil
	}
	table := csvResults{csv.NewWriter(file), file}
	return table, discard, table.rows.Write(resultColumns())
}

// FormatOf is the format that a file's name ends with: ndjson, or else csv. What compresses it comes behind.
func FormatOf(name string) string {
	ending := filepath.Ext(strings.TrimSuffix(name, ".gz"))
	if ending == ".ndjson" || ending == ".jsonl" {
		return "ndjson"
	}
	return "csv"
}

type jsonResults struct {
	lines *bufio.Writer
	file  io.Closer
}

func (r jsonResults) add(one Result) error { return terminal.PrintJSON(r.lines, one) }
func (r jsonResults) end() error           { return errors.Join(r.lines.Flush(), r.file.Close()) }

type csvResults struct {
	rows *csv.Writer
	file io.Closer
}

func resultColumns() []string {
	return []string{
		"line", topup.FieldID, "result", "state", "reason", "response_code", "response_message", "transaction_id",
		"reference",
		"auth_code", "attempt_count", "finished_at", "errors",
	}
}

func (r csvResults) add(one Result) error {
	o, attempts, finished := cmp.Or(one.Order, &topup.Order{}), "", ""
	if one.Order != nil {
		attempts = strconv.Itoa(o.AttemptCount)
	}
	if o.FinishedAt != nil {
		finished = o.FinishedAt.Format(time.RFC3339Nano)
	}
	row := []string{
		strconv.Itoa(one.Line), string(one.ID), one.Result, string(o.State), string(o.Reason), string(o.ResponseCode),
		string(o.ResponseMessage),
		string(o.TransactionID), string(o.Reference), string(o.AuthCode), attempts, finished, strings.Join(one.Errors, "; "),
	}
	for i, cell := range row {
		row[i] = csvsafe.Harmless(cell)
	}
	return r.rows.Write(row)
}

func (r csvResults) end() error {
	r.rows.Flush()
	return errors.Join(r.rows.Error(), r.file.Close())
}

// openRows are rows whose orders have not ended, in a file without a name: there may be millions.
type openRows struct {
	file  *os.File
	lines *bufio.Writer
	count int
	// moving are those of them that are not held as unknown.
	moving int
}

// openRow is a line of the file.
type openRow struct {
	Line    int             `json:"line"`    // as in Result
	Result  string          `json:"result"`  // as in Result
	Request json.RawMessage `json:"request"` // to be placed again
}

func newOpenRows() (*openRows, error) {
	file, err := os.CreateTemp("", "recarga-waiting-*.ndjson")
	if err != nil {
		return nil, err
	}
	return &openRows{file: file, lines: bufio.NewWriter(file)}, nil
}

func (w *openRows) add(r row, o topup.Order) error {
	request, err := json.Marshal(r.request)
	if err != nil {
		return err
	}
	w.count++
	if o.State != topup.StateUnknown {
		w.moving++
	}
	return terminal.PrintJSON(w.lines, openRow{Line: r.line, Result: r.result, Request: request})
}

// each calls use with every row.
func (w *openRows) each(use func(row) error) error {
	if err := w.lines.Flush(); err != nil {
		return err
	}
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	for in := json.NewDecoder(w.file); ; {
		var line openRow
		err := in.Decode(&line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		r := row{line: line.Line, result: line.Result}
		if err == nil {
			r.request, err = topup.AnyProduct().ParseRequest(line.Request)
		}
		if err == nil {
			err = use(r)
		}
		if err != nil {
			return err
		}
	}
}

func (w *openRows) close() {
	_ = w.file.Close() // nobody needs it any more
	_ = os.Remove(w.file.Name())
}

// pollEvery is the shortest time between two requests for the orders of a file. The pause is also at least pollPauses
// times as long as the requests took: most of the time the API works for others.
const (
	pollEvery  = time.Second
	pollPauses = 4
)

// wait ends when all orders of the file have, but for those that are held as unknown until somebody decides. It
// places what is open again: the answer to an order that is there is how it is now, for a thousand of them at once.
func (e *Placing) wait(ctx context.Context) error {
	total := e.open.count
	if total > 0 {
		_, _ = fmt.Fprintf(e.Err, "waiting for %s\n", terminal.CountOf(total, "order", "orders"))
	}
	for pause := pollEvery; e.open.count > 0 && !e.last; {
		if e.last = e.open.moving == 0; !e.last {
			if err := paused(ctx, pause); err != nil {
				return fmt.Errorf("%d of %s still open: %w", e.open.count, terminal.CountOf(total, "order", "orders"), err)
			}
		}
		began := time.Now()
		if err := e.poll(ctx); err != nil {
			return err
		}
		pause = max(pollEvery, pollPauses*time.Since(began))
	}
	return nil
}

// poll places the open rows again.
func (e *Placing) poll(ctx context.Context) (err error) {
	before := e.open
	defer before.close()
	if e.open, err = newOpenRows(); err != nil {
		return err
	}
	if err := before.each(func(r row) error { return e.take(ctx, r) }); err != nil {
		return err
	}
	return e.send(ctx)
}

func paused(ctx context.Context, d time.Duration) error {
	pause, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-pause.Done()
	return ctx.Err()
}

// ended says how the orders of the file ended.
func (e *Placing) ended() error {
	var said []string
	for _, s := range topup.StateTable() {
		if n := e.ends[s.State]; n > 0 {
			said = append(said, fmt.Sprintf("%d %s", n, s.State))
		}
	}
	_, _ = fmt.Fprintln(e.Err, cmp.Or(strings.Join(said, ", "), "no order to wait for"))
	if n := e.placed + e.replayed - e.ends[topup.StateSucceeded]; n > 0 {
		return errors.New(terminal.CountOf(n, "order has not succeeded", "orders have not succeeded"))
	}
	return nil
}

func sameFile(a, b string) bool {
	one, err1 := filepath.Abs(a)
	other, err2 := filepath.Abs(b)
	return err1 == nil && err2 == nil && one == other
}
