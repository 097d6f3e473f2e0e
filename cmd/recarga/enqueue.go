package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"recarga/internal/table"
	"recarga/producer"
	"recarga/topup"
)

func newEnqueueCommand(p *program) *cobra.Command {
	var f topup.Fields
	cmd := &cobra.Command{
		Use:   "enqueue",
		Short: "Place one order, or all of a file",
		Long: `Place one order from flags, or many from a table (CSV, whose header has the names of an order's fields) or
an NDJSON file; - reads from standard input, NDJSON if it begins with {. What spreadsheets write is read as it is: see
docs/tables.md. Invalid rows are reported with their line, and stop no other row. Rows are sent in batches of a
thousand, as orders of bulk priority unless they name another: they delay no order of a checkout. The ids make sure
that a second run of the same file places nothing twice: the same command continues what was interrupted.

--results writes the result of each row to a file, which appears under its name when it is complete. --wait waits
until each order has ended, or is held as unknown until a person decides. Then the results say how each ended, in the
order in which they ended, and the exit status is 0 only if all succeeded.`,
		Example: `  recarga enqueue --id MY-TXN-001 --phone 5537686660 --product MOVISTAR_TAE --amount 10
  recarga enqueue --file examples/orders.csv
  recarga enqueue --file examples/orders.csv --wait --results results.csv
  recarga enqueue --file export.txt --delimiter '|' --columns distributor_transaction_id=3,phone_number=1,product_id=5,amount=2 --ignore-columns 4`,
	}
	var job enqueueJob
	cmd.Flags().StringVar(&job.file, "file", "", "orders.csv, orders.ndjson or -")
	cmd.Flags().StringVar(&job.results, "results", "",
		"with --file: file to write the result of each row to, .csv or .ndjson, compressed if it ends with .gz")
	cmd.Flags().BoolVar(&job.wait, "wait", false, "with --file: wait until the orders have ended")
	ofTable := tableFlags(cmd)
	ofOrder := p.orderFlags(cmd, &f)
	asJSON := jsonFlag(cmd)
	return clientCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, _ []string) error {
		if job.file == "" && ofTable.given(cmd) {
			return usage(fmt.Errorf("--%s are for the table of a --file", strings.Join(tableFlagNames(), ", --")))
		}
		if job.file == "" && (job.results != "" || job.wait) {
			return usage(errors.New("--results and --wait are for the orders of a --file; see recarga watch for one order"))
		}
		if job.file == "" && !slices.ContainsFunc(ofOrder, cmd.Flags().Changed) {
			return usage(errors.New("there is nothing to place: give --id, --phone, --product and --amount, or --file; see " +
				"recarga enqueue --help"))
		}
		if job.file == "" {
			return p.enqueueOne(cmd.Context(), c, p.ownCatalog(cmd), f, *asJSON)
		}
		if slices.ContainsFunc(ofOrder, cmd.Flags().Changed) {
			return usage(errors.New("--file and an order's own flags exclude each other"))
		}
		job.asJSON = *asJSON
		var err error
		if job.table, err = ofTable.options(orderColumns()); err != nil {
			return usage(err)
		}
		job.table.catalog = p.ownCatalog(cmd)
		return p.enqueueFile(cmd.Context(), c, job)
	})
}

// ownCatalog is what this machine knows of the catalogue, to say of an order that is refused anyway. The API judges.
func (p *program) ownCatalog(cmd *cobra.Command) topup.Catalog {
	s, err := p.settings(cmd, nil)
	if err != nil {
		return topup.AnyProduct()
	}
	c, err := s.Catalog()
	if err != nil {
		return topup.AnyProduct()
	}
	return c.Lenient()
}

// orderFlags gives a command a flag for each field of an order, and returns their names.
func (p *program) orderFlags(cmd *cobra.Command, f *topup.Fields) (names []string) {
	for _, field := range []struct {
		to         *string
		name, help string
	}{
		{&f.ID, "id", "distributor_transaction_id: unique for ever"}, {&f.Phone, "phone", "Mexican phone number"},
		{&f.Product, "product", "product_id; see recarga products"}, {&f.Amount, "amount", "MXN"},
		{&f.Operator, "operator", "carrier's name"}, {&f.Priority, "priority", "high, normal or bulk (default normal)"},
		{&f.CallbackURL, "callback-url", "where to send this order's webhooks"},
		{&f.ProcessAt, "process-at", "not before this time (RFC 3339)"},
		{&f.ExpiresAt, "expires-at", "not after this time (RFC 3339)"},
	} {
		cmd.Flags().StringVar(field.to, field.name, "", field.help)
		names = append(names, field.name)
	}
	p.completesProducts(cmd)
	completes(cmd, "priority", priorityNames()...)
	cmd.Flags().StringToStringVar(&f.Metadata, "metadata", nil, "key=value, echoed back")
	return append(names, "metadata")
}

// ofFlags names the flags instead of an order's fields.
func ofFlags(err error) error {
	flags := map[string]string{topup.FieldID: "id", topup.FieldPhone: "phone", topup.FieldProduct: "product"}
	var named []error
	for _, e := range topup.FieldErrors(err) {
		flag := flags[e.Field]
		if flag == "" {
			flag = strings.ReplaceAll(e.Field, "_", "-")
		}
		if e.Value == "" {
			named = append(named, fmt.Errorf("--%s is not given; must be %s", flag, e.Allowed))
			continue
		}
		named = append(named, fmt.Errorf("--%s: %s is not allowed; must be %s", flag, e.Shown(), e.Allowed))
	}
	return errors.Join(named...)
}

// refusedFlags is a refusal of the API in words of the flags, where that is what it is.
func refusedFlags(err error, f topup.Fields) error {
	var problem *producer.Problem
	if !errors.As(err, &problem) || problem.Status != http.StatusUnprocessableEntity {
		return err
	}
	given := map[string]string{topup.FieldProduct: f.Product, topup.FieldAmount: f.Amount}
	var wrong []error
	for _, w := range problem.Errors {
		name := strings.TrimPrefix(w.Location, "body.")
		if given[name] == "" {
			return err
		}
		wrong = append(wrong, &topup.FieldError{Field: name, Value: given[name],
			Allowed: strings.TrimPrefix(w.Message, "must be ")})
	}
	return usage(ofFlags(errors.Join(wrong...)))
}

// patience is how long a request to an API that does not answer is repeated, for one order or one batch.
const patience = 2 * time.Minute

func (p *program) enqueueOne(
	ctx context.Context, c *producer.Client, catalog topup.Catalog, f topup.Fields, asJSON bool,
) error {
	r, err := catalog.Request(f) // what is sold, and whether this is a repeat, the API knows
	if err != nil {
		return usage(ofFlags(err))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o, replayed, err := c.Place(ctx, r)
	if err != nil {
		return refusedFlags(err, f)
	}
	if replayed {
		_, _ = fmt.Fprintln(p.stderr, "This order was placed before; nothing new was placed.")
	}
	return p.printOrders([]topup.Order{o}, asJSON)
}

// enqueueJob is what enqueue --file is asked for.
type enqueueJob struct {
	file, results string
	table         tableOptions
	wait, asJSON  bool
}

// enqueuing is the placing of a whole file.
type enqueuing struct {
	p      *program
	client *producer.Client
	asJSON bool
	bar    *progressbar.ProgressBar
	// results gets the result of each row; nil without --results.
	results results

	rows                      []row
	placed, replayed, refused int
	// open are the rows to wait for; nil without --wait. last is set for the last request for them.
	open *openRows
	last bool
	ends map[topup.State]int
}

func (p *program) enqueueFile(ctx context.Context, c *producer.Client, job enqueueJob) error {
	in, size, err := p.open(job.file)
	if err != nil {
		return usage(err)
	}
	defer func() { _ = in.Close() }() // it was only read
	e := &enqueuing{p: p, client: c, asJSON: job.asJSON, bar: p.progressOf("placing", size), ends: map[topup.State]int{}}
	if job.results != "" {
		if sameFile(job.file, job.results) {
			return usage(fmt.Errorf("--results: %s is the file of the orders; must be another", job.results))
		}
		var discard func()
		if e.results, discard, err = resultsOf(job.results); err != nil {
			return usage(err)
		}
		defer discard()
	}
	if job.wait {
		if e.open, err = newOpenRows(); err != nil {
			return err
		}
		defer func() { e.open.close() }()
	}
	return e.run(ctx, job, in)
}

func (e *enqueuing) run(ctx context.Context, job enqueueJob, in io.Reader) error {
	counted := progressbar.NewReader(in, e.bar)
	err := readRows(&counted, job.file, job.table, func(r row) error { return e.take(ctx, r) }, e.note)
	if errors.As(err, new(*table.FileError)) {
		_ = e.bar.Finish()
		return usage(fmt.Errorf("%s: %w", job.file, err)) // nothing was placed
	}
	if err == nil {
		err = e.send(ctx)
	}
	_ = e.bar.Finish()
	_, _ = fmt.Fprintf(e.p.stderr, "%d placed, %d already there, %d refused\n", e.placed, e.replayed, e.refused)
	if err == nil && job.wait {
		err = e.wait(ctx)
	}
	if err == nil && e.results != nil {
		err = e.results.end()
	}
	if err != nil {
		return fmt.Errorf("%s: %w; run it again to continue", job.file, err)
	}
	var failed error
	if job.wait {
		failed = e.ended()
	}
	if e.refused > 0 {
		failed = errors.Join(fmt.Errorf("%s: %s refused", job.file, countOf(e.refused, "row was", "rows were")), failed)
	}
	return failed
}

func (p *program) open(name string) (in io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(p.stdin), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; must be a file", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// progressOf shows how much of the file is read, on a terminal.
func (p *program) progressOf(what string, size int64) *progressbar.ProgressBar {
	// The interval 0 keeps the bar of a stream without a length from drawing beside us: it takes no lock for that.
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(p.stderr.drawn()),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription(what), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
		progressbar.OptionSetSpinnerChangeInterval(0))
}

// take collects rows until there are enough for one request.
func (e *enqueuing) take(ctx context.Context, r row) error {
	if r.request.Priority == "" {
		r.request.Priority = topup.PriorityBulk
	}
	if e.rows = append(e.rows, r); len(e.rows) < producer.MaxBatch {
		return nil
	}
	return e.send(ctx)
}

// send places the valid rows and reports all of them in the file's order, as far as there are answers.
func (e *enqueuing) send(ctx context.Context) error {
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

func (e *enqueuing) answered(r row, answer producer.Placed) error {
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
	return e.report(rowResult{Line: r.line, ID: r.request.ID, Result: r.result, Order: &o})
}

// note reports what of the file is no row.
func (e *enqueuing) note(text string) {
	_ = e.bar.Clear()
	_, _ = fmt.Fprintln(e.p.stderr, "note: "+printable(text))
}

func (e *enqueuing) report(r rowResult) error {
	if e.results != nil {
		if err := e.results.add(r); err != nil {
			return err
		}
	}
	if !e.asJSON {
		return nil
	}
	return printJSON(e.p.stdout, r)
}

// refuse reports a bad row, with every reason.
func (e *enqueuing) refuse(r row, err error) error {
	e.refused++
	reasons := strings.Split(err.Error(), "\n")
	if !e.asJSON {
		_ = e.bar.Clear()
		if _, err := fmt.Fprintf(e.p.stderr, "line %d: %s\n", r.line, printable(strings.Join(reasons, "; "))); err != nil {
			return err
		}
	}
	return e.report(rowResult{Line: r.line, ID: r.request.ID, Result: "refused", Errors: reasons})
}

func priorityNames() (names []string) {
	for _, p := range topup.Priorities() {
		names = append(names, string(p))
	}
	return names
}
