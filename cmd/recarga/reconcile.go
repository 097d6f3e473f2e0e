package main

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/reconcile"
	"recarga/internal/reconcile/statement"
	"recarga/internal/statementfile"
	"recarga/producer"
)

func newReconcileCommand(p *command.Program) *cobra.Command {
	return newStatementCommand(p, "reconcile", false)
}

// newRestoreCheckCommand is reconcile for a book that was restored from a backup.
func newRestoreCheckCommand(p *command.Program) *cobra.Command {
	return newStatementCommand(p, "restore-check", true)
}

func newStatementCommand(p *command.Program, name string, restored bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:  name + " STATEMENT.csv",
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return []cobra.Completion{"csv", "tsv", "txt"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	job := statementfile.Job{Out: p.Stdout, Err: p.Stderr}
	options := reconcileFlags(p, cmd, restored)
	flags := cmd.Flags()
	flags.IntVar(&job.Show, "show", 10, "findings of each class that are printed")
	flags.StringVar(&job.Page, "report", "", "write a report to this HTML file, to be read or printed")
	flags.StringVar(&job.CSV, "csv", "", "write every finding to this CSV file")
	flags.BoolVar(&job.AsJSON, "json", false, "print JSON, a finding a line, the summary last")
	return command.Admin(p, cmd, func(c command.Call) error {
		file := c.Args[0]
		job.Show, job.Options = max(job.Show, 0), options(file)
		if _, err := reconcile.ParseOptions(job.Options.Parameters(), time.Now()); err != nil {
			return command.Usage(fmt.Errorf("%w; see recarga %s --help", command.OfFlags(err), name))
		}
		return reconcileFile(p, c, file, job)
	})
}

// reconcileFile makes a mistake of usage of what is no statement, or a file that cannot be read or written.
func reconcileFile(p *command.Program, c command.Call, file string, job statementfile.Job) error {
	in, size, err := p.Open(file)
	if err != nil {
		return command.Usage(err)
	}
	defer func() { _ = in.Close() }() // it was only read
	job.In, job.Size = in, size
	err = statementfile.Reconcile(c.Ctx, c.API, job)
	var problem *producer.Problem
	switch {
	case err == nil, errors.Is(err, statementfile.ErrDiffer):
		return err
	case errors.As(err, &problem) && problem.Status != http.StatusUnprocessableEntity:
		return err
	case problem != nil, errors.As(err, new(statementfile.FileError)):
		return command.Usage(fmt.Errorf("%s: %w", file, err))
	}
	return fmt.Errorf("%s: %w", file, err)
}

// reconcileFlags gives the command its options, and returns what reads them.
func reconcileFlags(
	p *command.Program, cmd *cobra.Command, restored bool,
) func(file string) producer.ReconcileOptions {
	flags, of := cmd.Flags(), tableFlags(cmd)
	o := producer.ReconcileOptions{Dates: string(statement.DatesDayFirst), Restored: restored,
		Absent: string(reconcile.AbsentHold)}
	command.Choice(cmd, &o.Dates, "dates", "order of dates like 05/11/2026: dmy or mdy", statement.DatesDayFirst,
		statement.DatesMonthFirst)
	flags.StringVar(&o.Timezone, "timezone", reconcile.DefaultZone, "of times without an offset")
	flags.StringVar(&o.Status, "status", "",
		"what words of the status column, or codes, mean: WORD=KIND,…, of charged, not_charged, reversed, pending")
	flags.StringSliceVar(&o.Charged, "charged", nil, "more words of the status column that mean a charge: WORD,…")
	flags.StringSliceVar(&o.NotCharged, "not-charged", nil, "more words that mean that nothing was charged: WORD,…")
	o.Margin = flags.Duration("margin", reconcile.DefaultMargin,
		"by how much times may differ, and how far within that time an order must lie to be settled by absence")
	flags.StringVar(&o.By, "by", "", "who reconciles"+command.ByDefault)
	if restored {
		flags.StringVar(&o.Since, "since", "",
			"when the backup was made: a time (RFC 3339) or a date. A charge that is older, by more than --margin, and not in "+
				"the book is named, and not recorded")
	} else { // of a restored book absence proves nothing
		flags.StringVar(&o.Covers, "covers", "",
			"FROM..UNTIL of which the statement names every charge: times (RFC 3339) or dates (default: its first to its "+
				"last charge)")
		command.Choice(cmd, &o.Absent, "absent",
			"what happens to an unknown order that is covered and not charged: hold, failed or resend",
			reconcile.AbsentHold, reconcile.AbsentFailed, reconcile.AbsentResend)
	}
	flags.BoolVar(&o.DryRun, "dry-run", false, "settle nothing, and say what would be")
	return func(file string) producer.ReconcileOptions {
		o.Name = filepath.Base(file)
		if file == "-" {
			o.Name = "standard input"
		}
		if o.By == "" && !command.HasOwnKey(p, cmd) {
			o.By = command.UserName()
		}
		o.Columns, o.Ignored, o.NoHeader = of.Columns, of.Ignored, of.NoHeader
		o.Delimiter, o.Decimal = of.Delimiter, of.Decimal
		return o
	}
}
