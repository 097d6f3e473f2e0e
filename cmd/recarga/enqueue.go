package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/orderfile"
	"recarga/internal/table"
	"recarga/topup"
)

func newEnqueueCommand(p *command.Program) *cobra.Command {
	var f topup.Fields
	cmd := &cobra.Command{Use: "enqueue"}
	var job orderfile.Job
	cmd.Flags().StringVar(&job.File, "file", "", "orders.csv, orders.ndjson or -")
	cmd.Flags().StringVar(&job.Results, "results", "",
		"with --file: file to write the result of each row to, .csv or .ndjson, compressed if it ends with .gz")
	cmd.Flags().BoolVar(&job.Wait, "wait", false, "with --file: wait until the orders have ended")
	format := tableFlags(cmd)
	ofOrder := command.OrderFlags(p, cmd, &f)
	cmd.Flags().BoolVar(&job.AsJSON, "json", false, command.JSONHelp)
	return command.ForCaller(p, cmd, func(c command.Call) error {
		given := func(flags []string) bool { return slices.ContainsFunc(flags, cmd.Flags().Changed) }
		switch {
		case job.File != "" && given(ofOrder):
			return command.Usage(errors.New("--file and an order's own flags exclude each other"))
		case job.File != "":
			job.Format, job.Catalog, job.Out, job.Err = *format, command.OwnCatalog(p, cmd), p.Stdout, p.Stderr
			return enqueueFile(p, c, job)
		case given(tableFlagNames()):
			return command.Usage(fmt.Errorf("--%s are for the table of a --file", strings.Join(tableFlagNames(), ", --")))
		case job.Results != "" || job.Wait:
			return command.Usage(errors.New(
				"--results and --wait are for the orders of a --file; see recarga watch for one order"))
		case !given(ofOrder):
			return command.Usage(errors.New(
				"there is nothing to place: give --id, --phone, --product and --amount, or --file; see " +
					"recarga enqueue --help"))
		}
		return enqueueOne(p, c, command.OwnCatalog(p, cmd), f, job.AsJSON)
	})
}

// patience is how long a request to an API that does not answer is repeated.
const patience = 2 * time.Minute

func enqueueOne(p *command.Program, c command.Call, catalog topup.Catalog, f topup.Fields, asJSON bool) error {
	r, err := catalog.Request(f) // what is sold, and whether this is a repeat, the API knows
	if err != nil {
		return command.Usage(command.OfFlags(err))
	}
	ctx, cancel := context.WithTimeout(c.Ctx, patience)
	defer cancel()
	o, replayed, err := c.API.Place(ctx, r)
	if err != nil {
		return command.RefusedFlags(err, f)
	}
	if replayed {
		_, _ = fmt.Fprintln(p.Stderr, "This order was placed before; nothing new was placed.")
	}
	return printOrders(p, []topup.Order{o}, asJSON)
}

func enqueueFile(p *command.Program, c command.Call, job orderfile.Job) error {
	in, size, err := p.Open(job.File)
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
