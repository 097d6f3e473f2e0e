package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/app"
	"recarga/internal/archive"
	"recarga/internal/audit"
	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/internal/journal"
	"recarga/internal/journal/archived"
	"recarga/internal/terminal"
)

func newArchiveCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "archive"}
	before := cmd.Flags().String("before", "",
		"move what ended before this time, instead: a date or a time (RFC 3339), at least 24h ago")
	dry := cmd.Flags().Bool("dry-run", false, "only count the orders that would leave")
	verify := cmd.Flags().Bool("verify", false, "check the archive instead")
	asJSON := command.JSONFlag(cmd)
	config.AddFlags(cmd.Flags(), "DATABASE_URL", "RETENTION", "ARCHIVE_DIR")
	cmd.MarkFlagsMutuallyExclusive("verify", "dry-run")
	cmd.MarkFlagsMutuallyExclusive("verify", "before")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.Settings(cmd, nil)
		if err != nil {
			return err
		}
		until, err := archiveUntil(s, *before, time.Now())
		if err == nil && s.Archive() == "" {
			err = errors.New("RECARGA_ARCHIVE_DIR is not set; must be a folder")
		}
		if err != nil {
			return command.Usage(err)
		}
		j, err := app.OpenBook(cmd.Context(), s)
		if err != nil {
			return command.Usage(err)
		}
		switch {
		case *verify:
			err = verifyArchive(p, cmd.Context(), j, s.Archive(), *asJSON)
		case *dry:
			err = countLeaving(p, cmd.Context(), j, until, *asJSON)
		default:
			err = archiveNow(p, command.Acting(cmd.Context(), cmd.Name()), j, until, s.Archive(), *asJSON)
		}
		return errors.Join(err, j.Close())
	}
	return cmd
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

func countLeaving(p *command.Program, ctx context.Context, j *journal.Journal, until time.Time, asJSON bool) error {
	n, err := j.CountLeaving(ctx, until)
	if err != nil {
		return err
	}
	return p.Show(asJSON, map[string]any{"orders": n, "ended_before": until}, func(s terminal.Screen) error {
		_, err = fmt.Fprintf(s, "%s, ended before %s, would leave\n", terminal.CountOf(int(n), "order", "orders"),
			until.Format(time.RFC3339))
		return err
	})
}

func archiveNow(
	p *command.Program, ctx context.Context, j *journal.Journal, until time.Time, to archive.Folder, asJSON bool,
) error {
	total, err := j.CountLeaving(ctx, until)
	if err == nil && total > 0 {
		err = j.RecordAct(audit.To(ctx, terminal.CountOf(int(total), "order", "orders")+", ended before "+
			until.Format(time.RFC3339)))
	}
	if err != nil {
		return err
	}
	bar := p.Stderr.Progress("archiving", total)
	moved, err := j.Archive(ctx, until, time.Now(), func(a archived.Totals) { _ = bar.Set64(a.Orders) })
	_ = bar.Finish()
	return errors.Join(err, p.Show(asJSON, moved, func(s terminal.Screen) error {
		_, err := fmt.Fprintf(s, "%s, ended before %s, left for %s of %s\n",
			terminal.CountOf(int(moved.Orders), "order", "orders"), until.Format(time.RFC3339),
			terminal.CountOf(moved.Files, "file", "files"), to)
		return err
	}))
}

func verifyArchive(p *command.Program, ctx context.Context, j *journal.Journal, folder archive.Folder,
	asJSON bool) error {
	found, err := j.CheckArchive(ctx)
	if err != nil {
		return err
	}
	err = p.Show(asJSON, found, func(s terminal.Screen) error {
		var out strings.Builder
		for _, wrong := range found.Wrong {
			fmt.Fprintf(&out, "wrong: %s\n", terminal.Printable(wrong))
		}
		for _, name := range found.Unused {
			fmt.Fprintf(&out, "unused: %s may be removed: no order is read from it\n",
				terminal.Printable(filepath.Join(string(folder), name)))
		}
		_, err := fmt.Fprintf(s, "%s%s in %s of %s\n", &out, terminal.CountOf(int(found.Orders), "order", "orders"),
			terminal.CountOf(found.Files, "file", "files"), folder)
		return err
	})
	if err == nil && len(found.Wrong) > 0 {
		err = errors.New(terminal.CountOf(len(found.Wrong), "thing is", "things are") + " wrong")
	}
	return err
}
