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

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/orderfile"
	"recarga/internal/table"
	"recarga/producer"
	"recarga/topup"
)

func newEnqueueCommand(p *command.Program) *cobra.Command {
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
	var job orderfile.Job
	cmd.Flags().StringVar(&job.File, "file", "", "orders.csv, orders.ndjson or -")
	cmd.Flags().StringVar(&job.Results, "results", "",
		"with --file: file to write the result of each row to, .csv or .ndjson, compressed if it ends with .gz")
	cmd.Flags().BoolVar(&job.Wait, "wait", false, "with --file: wait until the orders have ended")
	format := tableFlags(cmd)
	ofOrder := orderFlags(p, cmd, &f)
	cmd.Flags().BoolVar(&job.AsJSON, "json", false, command.JSONHelp)
	return command.Client(p, cmd, func(c command.Call) error {
		given := func(flags []string) bool { return slices.ContainsFunc(flags, cmd.Flags().Changed) }
		switch {
		case job.File != "" && given(ofOrder):
			return command.Usage(errors.New("--file and an order's own flags exclude each other"))
		case job.File != "":
			job.Format, job.Catalog, job.Out, job.Err = *format, ownCatalog(p, cmd), p.Stdout, p.Stderr
			return enqueueFile(p, c, job)
		case given(tableFlagNames()):
			return command.Usage(fmt.Errorf("--%s are for the table of a --file", strings.Join(tableFlagNames(), ", --")))
		case job.Results != "" || job.Wait:
			return command.Usage(errors.New("--results and --wait are for the orders of a --file; see recarga watch for one order"))
		case !given(ofOrder):
			return command.Usage(errors.New("there is nothing to place: give --id, --phone, --product and --amount, or --file; see " +
				"recarga enqueue --help"))
		}
		return enqueueOne(p, c, ownCatalog(p, cmd), f, job.AsJSON)
	})
}

// ownCatalog is what this machine knows of the catalogue, to say of an order that is refused anyway. The API judges.
func ownCatalog(p *command.Program, cmd *cobra.Command) topup.Catalog {
	s, err := p.Settings(cmd, nil)
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
func orderFlags(p *command.Program, cmd *cobra.Command, f *topup.Fields) (names []string) {
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
	p.CompletesProducts(cmd)
	command.Completes(cmd, "priority", topup.Priorities()...)
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
	return command.Usage(ofFlags(errors.Join(wrong...)))
}

// patience is how long a request to an API that does not answer is repeated.
const patience = 2 * time.Minute

func enqueueOne(p *command.Program, c command.Call, catalog topup.Catalog, f topup.Fields, asJSON bool) error {
	r, err := catalog.Request(f) // what is sold, and whether this is a repeat, the API knows
	if err != nil {
		return command.Usage(ofFlags(err))
	}
	ctx, cancel := context.WithTimeout(c.Ctx, patience)
	defer cancel()
	o, replayed, err := c.API.Place(ctx, r)
	if err != nil {
		return refusedFlags(err, f)
	}
	if replayed {
		_, _ = fmt.Fprintln(p.Stderr, "This order was placed before; nothing new was placed.")
	}
	return printOrders(p, []topup.Order{o}, asJSON)
}

func enqueueFile(p *command.Program, c command.Call, job orderfile.Job) error {
	in, size, err := open(p, job.File)
	if err != nil {
		return command.Usage(err)
	}
	defer func() { _ = in.Close() }() // it was only read
	job.In, job.Size = in, size
	placing, err := orderfile.New(job)
	if err != nil {
		return command.Usage(err)
	}
	defer placing.Close()
	err = placing.Place(c.Ctx, c.API)
	if errors.As(err, new(*table.FileError)) {
		return command.Usage(err) // nothing was placed
	}
	return err
}

// open opens a file, or standard input. A size of -1 is not known.
func open(p *command.Program, name string) (in io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), -1, nil
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
