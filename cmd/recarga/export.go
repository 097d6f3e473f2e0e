package main

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"recarga/producer"
)

func newExportCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write orders as CSV or NDJSON",
		Long: `Write all orders that the filters choose, the oldest first, as CSV with a header or as NDJSON, one order a
line. Needs the admin key.

The fields are those of the order everywhere. In CSV a text that a spreadsheet would take for a formula (it begins
with = + - @, a tab or a line break) gets a quote in front; NDJSON has every text as it is.

--output writes to another file beside it and renames that when all is there: a file of that name is whole. On standard
output, what was broken off has a cut end; the exit status is 1.`,
		Example: `  recarga export --finished-since 2026-11-01T00:00:00-06:00 --finished-until 2026-12-01T00:00:00-06:00 --output november.csv
  recarga export --state unknown --format ndjson --attempts | jq -r .distributor_transaction_id
  recarga export --output all.ndjson.gz`,
	}
	p.addFilters(cmd, exportFilters())
	format := cmd.Flags().String("format", "", "csv or ndjson (default: the ending of --output, or else csv)")
	completes(cmd, "format", "csv", "ndjson")
	output := cmd.Flags().String("output", "", "file to write; compressed if it ends with .gz (default: standard output)")
	parts := map[string]*bool{
		"attempts": cmd.Flags().Bool("attempts", false, "with each order's attempts and resolutions; NDJSON only"),
		"events":   cmd.Flags().Bool("events", false, "with each order's events; NDJSON only"),
	}
	return adminCommand(p, cmd, func(cmd *cobra.Command, c *producer.Client, _ []string) error {
		query := url.Values{"format": {cmp.Or(*format, formatOf(*output))}}
		setFilters(cmd, query, exportFilters())
		for name, wanted := range parts {
			if *wanted {
				query.Set(name, "true")
			}
		}
		return p.export(cmd.Context(), c, query, *output)
	})
}

// exportFilters are those of list, and the time of the end.
func exportFilters() []filterFlag {
	return append(listFilters(),
		filterFlag{"finished-since", "finished_since", "final at or after this time (RFC 3339)"},
		filterFlag{"finished-until", "finished_until", "final before this time (RFC 3339)"})
}

func formatOf(output string) string {
	ending := filepath.Ext(strings.TrimSuffix(output, ".gz"))
	if ending == ".ndjson" || ending == ".jsonl" {
		return "ndjson"
	}
	return "csv"
}

// export writes the answer to the file, or to standard output.
func (p *program) export(ctx context.Context, c *producer.Client, query url.Values, output string) error {
	to := io.WriteCloser(nopWriteCloser{p.stdout.exact()})
	bar := io.Discard // standard output may be shown on the same terminal
	if output != "" {
		file, err := newWholeFile(output)
		if err != nil {
			return usage(err)
		}
		defer file.discard()
		to = file
		progress := p.progressOf("exporting", -1)
		defer func() { _ = progress.Finish() }()
		bar = progress
	}
	orders, err := c.Export(ctx, query, io.MultiWriter(to, bar))
	if err == nil {
		err = to.Close()
	}
	switch {
	case err != nil && output != "":
		return fmt.Errorf("%w; %s was not written", wrongFilter(err), output)
	case err != nil:
		return wrongFilter(err)
	case orders >= 0:
		_, _ = fmt.Fprintf(p.stderr, "%d orders\n", orders)
	}
	return nil
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }

// wholeFile is there under its name once it is closed, with all that was written to it.
type wholeFile struct {
	name   string
	file   *os.File
	zipped *gzip.Writer // nil: it is not to be compressed
}

// newWholeFile makes a file that only its owner may read: it has phone numbers. One of that name is
// replaced.
func newWholeFile(name string) (*wholeFile, error) {
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.part")
	if err != nil {
		return nil, err
	}
	w := &wholeFile{name: name, file: file}
	if strings.HasSuffix(name, ".gz") {
		w.zipped = gzip.NewWriter(file)
	}
	return w, nil
}

func (w *wholeFile) Write(p []byte) (int, error) {
	if w.zipped != nil {
		return w.zipped.Write(p)
	}
	return w.file.Write(p)
}

// Close gives the file its name once it is on the disk.
func (w *wholeFile) Close() error {
	if w.zipped != nil {
		if err := w.zipped.Close(); err != nil {
			return err
		}
	}
	if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil {
		return err
	}
	return os.Rename(w.file.Name(), w.name)
}

// discard removes what was not closed whole.
func (w *wholeFile) discard() {
	_ = w.file.Close()           // it may be closed already
	_ = os.Remove(w.file.Name()) // it may have its name already
}
