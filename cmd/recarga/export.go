package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/orderfile"
	"recarga/internal/wholefile"
	"recarga/producer"
	"recarga/topup"
)

func newExportCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "export"}
	addFilters(p, cmd, exportFilters())
	command.Completes(cmd, "reason", topup.Reasons()...)
	var format string
	command.Choice(cmd, &format, "format", "csv or ndjson (default: the ending of --output, or else csv)", "csv",
		"ndjson")
	output := cmd.Flags().String("output", "", "file to write; compressed if it ends with .gz (default: standard output)")
	attempts := cmd.Flags().Bool("attempts", false, "with each order's attempts and resolutions; NDJSON only")
	events := cmd.Flags().Bool("events", false, "with each order's events; NDJSON only")
	return command.Client(p, cmd, func(c command.Call) error {
		o, err := readFilters(cmd, exportFilters())
		if err != nil {
			return err
		}
		o.Format, o.Attempts, o.Events = cmp.Or(format, orderfile.FormatOf(*output)), *attempts, *events
		return export(p, c, o, *output)
	})
}

// exportFilters are those of list, and the time of the end.
func exportFilters() []filterFlag {
	return append(listFilters(),
		filterFlag{"finished-since", "finished_since", "final at or after this time, as in --since"},
		filterFlag{"finished-until", "finished_until", "final before this time, as in --since"})
}

// export writes the answer to the file, or to standard output.
func export(p *command.Program, c command.Call, o producer.ExportOptions, output string) error {
	to := io.WriteCloser(nopWriteCloser{p.Stdout.Exact()})
	bar := io.Discard // standard output may be shown on the same terminal
	if output != "" {
		file, discard, err := wholefile.ByName(output)
		if err != nil {
			return command.Usage(err)
		}
		defer discard()
		to = file
		progress := p.Stderr.Progress("exporting", -1)
		defer func() { _ = progress.Finish() }()
		bar = progress
	}
	orders, err := c.API.Export(c.Ctx, o, io.MultiWriter(to, bar))
	if err == nil {
		err = to.Close()
	}
	switch {
	case err != nil && output != "":
		return fmt.Errorf("%w; %s was not written", wrongFilter(err), output)
	case err != nil:
		return wrongFilter(err)
	case orders >= 0:
		_, _ = fmt.Fprintf(p.Stderr, "%d orders\n", orders)
	}
	return nil
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }
