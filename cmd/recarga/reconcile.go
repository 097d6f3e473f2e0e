package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
	return command.Client(p, cmd, func(c command.Call) error {
		file := c.Args[0]
		job.Show, job.Query = max(job.Show, 0), options(file)
		if _, err := reconcile.ParseOptions(job.Query, time.Now()); err != nil {
			return command.Usage(fmt.Errorf("%w; see recarga %s --help", err, name))
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

// reconcileFlags gives the command its options, and returns what makes the API's query of them.
func reconcileFlags(p *command.Program, cmd *cobra.Command, restored bool) func(file string) url.Values {
	flags := cmd.Flags()
	of := tableFlags(cmd)
	values := map[string]*string{
		"columns": &of.Columns, "ignore_columns": &of.Ignored, "delimiter": &of.Delimiter, "decimal": &of.Decimal,
		"dates":    flags.String("dates", "dmy", "order of dates like 05/11/2026: dmy or mdy"),
		"timezone": flags.String("timezone", reconcile.DefaultZone, "of times without an offset"),
		"status": flags.String("status", "",
			"what words of the status column, or codes, mean: WORD=KIND,…, of charged, not_charged, reversed, pending"),
		"charged":     flags.String("charged", "", "more words of the status column that mean a charge: WORD,…"),
		"not_charged": flags.String("not-charged", "", "more words that mean that nothing was charged: WORD,…"),
		"margin": flags.String("margin", reconcile.DefaultMargin.String(),
			"by how much times may differ, and how far within that time an order must lie to be settled by absence"),
		"by": flags.String("by", "", "who reconciles"+command.ByDefault),
	}
	command.Completes(cmd, "dates", statement.DatesDayFirst, statement.DatesMonthFirst)
	if restored {
		values["since"] = flags.String("since", "",
			"when the backup was made: a time (RFC 3339) or a date. A charge that is older, by more than --margin, and not in "+
				"the book is named, and not recorded")
	} else { // of a restored book absence proves nothing
		values["covers"] = flags.String("covers", "",
			"FROM..UNTIL of which the statement names every charge: times (RFC 3339) or dates (default: its first to its "+
				"last charge)")
		values["absent"] = flags.String("absent", "hold",
			"what happens to an unknown order that is covered and not charged: hold, failed or resend")
		command.Completes(cmd, "absent", reconcile.AbsentHold, reconcile.AbsentFailed, reconcile.AbsentResend)
	}
	dryRun := flags.Bool("dry-run", false, "settle nothing, and say what would be")
	return func(file string) url.Values {
		q := url.Values{"name": {filepath.Base(file)}}
		if file == "-" {
			q.Set("name", "standard input")
		}
		if by := command.UserName(); by != "" && !command.HasOwnKey(p, cmd) {
			q.Set("by", by)
		}
		for name, value := range values {
			if *value != "" {
				q.Set(name, *value)
			}
		}
		if of.NoHeader {
			q.Set("no_header", "true")
		}
		if restored {
			q.Set("restored", "true")
		}
		if *dryRun {
			q.Set("dry_run", "true")
		}
		return q
	}
}
