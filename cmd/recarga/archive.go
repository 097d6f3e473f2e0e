package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/config"
	"recarga/internal/journal"
	"recarga/internal/journal/archived"
)

func newArchiveCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "archive",
		Short: "Move old orders to the archive now, or check the archive",
		Long: `Move the orders that ended longer ago than RECARGA_RETENTION from the database to files of
RECARGA_ARCHIVE_DIR, as the workers do by themselves every day. Orders that are open, held as unknown, or have an event
to deliver stay. Runs beside serve, api and worker. See docs/retention.md.

With --verify nothing is moved: every file is compared with its manifest, and with the orders that have left.

Exit status: 0 done, 1 when something failed or --verify found something wrong.`,
		Example: "  recarga archive --dry-run\n  recarga archive --before 2025-01-01\n  recarga archive --verify --json",
	}
	before := cmd.Flags().String("before", "",
		"move what ended before this time, instead: a date or a time (RFC 3339), at least 24h ago")
	dry := cmd.Flags().Bool("dry-run", false, "only count the orders that would leave")
	verify := cmd.Flags().Bool("verify", false, "check the archive instead")
	asJSON := jsonFlag(cmd)
	config.AddFlags(cmd.Flags(), "DATABASE_URL", "RETENTION", "ARCHIVE_DIR")
	cmd.MarkFlagsMutuallyExclusive("verify", "dry-run")
	cmd.MarkFlagsMutuallyExclusive("verify", "before")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.settings(cmd, nil)
		if err != nil {
			return err
		}
		until, err := archiveUntil(s, *before, time.Now())
		if err == nil && s.Archive() == "" {
			err = errors.New("RECARGA_ARCHIVE_DIR is not set; must be a folder")
		}
		if err != nil {
			return usage(err)
		}
		j, err := openJournal(cmd.Context(), s)
		if err != nil {
			return err
		}
		switch {
		case *verify:
			err = p.verifyArchive(cmd.Context(), j, s, *asJSON)
		case *dry:
			err = p.countLeaving(cmd.Context(), j, until, *asJSON)
		default:
			err = p.archiveNow(cmd.Context(), j, until, s, *asJSON)
		}
		return errors.Join(err, j.Close())
	}
	return cmd
}

// openJournal opens the book of record of the settings, if it is there: to open a SQLite file would make it.
func openJournal(ctx context.Context, s config.Settings) (*journal.Journal, error) {
	if path, isFile := s.DatabaseFile(); isFile {
		if _, err := os.Stat(path); err != nil {
			return nil, usage(err)
		}
	}
	j, err := journal.Open(ctx, s.DatabaseURL, journal.WithArchive(s.Archive()))
	if err != nil {
		return nil, usage(fmt.Errorf("RECARGA_DATABASE_URL: %w", err))
	}
	return j, nil
}

// archiveUntil is what --before says, or else the retention.
func archiveUntil(s config.Settings, before string, now time.Time) (time.Time, error) {
	if before == "" {
		if s.Retention == 0 {
			return time.Time{}, errors.New("RECARGA_RETENTION is 0, which keeps all orders where they are; give --before")
		}
		return s.ArchiveBefore(now), nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if until, err := time.Parse(form, before); err == nil && !until.After(now.Add(-config.ShortestRetention)) {
			return until.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("--before: %q is not allowed; must be a date, as in 2025-12-31, or a time (RFC "+
		"3339), at least %s ago", before, config.ShortestRetention)
}

func (p *program) countLeaving(ctx context.Context, j *journal.Journal, until time.Time, asJSON bool) error {
	n, err := j.CountLeaving(ctx, until)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, map[string]any{"orders": n, "ended_before": until})
	}
	_, err = fmt.Fprintf(p.stdout, "%s, ended before %s, would leave\n", countOf(int(n), "order", "orders"),
		until.Format(time.RFC3339))
	return err
}

func (p *program) archiveNow(
	ctx context.Context, j *journal.Journal, until time.Time, s config.Settings, asJSON bool,
) error {
	total, err := j.CountLeaving(ctx, until)
	if err != nil {
		return err
	}
	bar := p.progressOf("archiving", total)
	moved, err := j.Archive(ctx, until, time.Now(), func(a archived.Totals) { _ = bar.Set64(a.Orders) })
	_ = bar.Finish()
	if asJSON {
		return errors.Join(err, printJSON(p.stdout, moved))
	}
	_, printErr := fmt.Fprintf(p.stdout, "%s, ended before %s, left for %s of %s\n",
		countOf(int(moved.Orders), "order", "orders"), until.Format(time.RFC3339),
		countOf(moved.Files, "file", "files"), s.Archive())
	return errors.Join(err, printErr)
}

func (p *program) verifyArchive(ctx context.Context, j *journal.Journal, s config.Settings, asJSON bool) error {
	found, err := j.CheckArchive(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(p.stdout, found)
	} else {
		err = p.printCheck(found, s)
	}
	if err == nil && len(found.Wrong) > 0 {
		err = errors.New(countOf(len(found.Wrong), "thing is", "things are") + " wrong")
	}
	return err
}

func (p *program) printCheck(found archived.Check, s config.Settings) error {
	var out strings.Builder
	for _, wrong := range found.Wrong {
		fmt.Fprintf(&out, "wrong: %s\n", printable(wrong))
	}
	for _, name := range found.Unused {
		fmt.Fprintf(&out, "unused: %s may be removed: no order is read from it\n",
			printable(filepath.Join(string(s.Archive()), name)))
	}
	fmt.Fprintf(&out, "%s in %s of %s\n", countOf(int(found.Orders), "order", "orders"),
		countOf(found.Files, "file", "files"), s.Archive())
	_, err := p.stdout.Write([]byte(out.String()))
	return err
}
