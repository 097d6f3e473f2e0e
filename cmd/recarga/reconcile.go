package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/reconcile"
	"recarga/internal/reconcile/statement"
	"recarga/internal/terminal"
	"recarga/producer"
)

// reportMost is how many findings of a class the HTML report shows.
const reportMost = 1000

func newReconcileCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reconcile STATEMENT.csv",
		Short: "Compare the distributor's statement with the book, and settle unknown orders",
		Long: `Compare what the distributor says it charged with what we say was sold, and settle orders that are held
as unknown, with the statement as evidence. Needs the admin key.

The statement is a table (CSV), of any length and in any order; - reads standard input. Columns are found
by their English or Spanish headers; --columns names others by their headers or numbers, of: id (our
distributor_transaction_id), transaction_id, reference, auth_code, amount (MXN), currency, time, clock (the
time of day, where it has a column of its own), status, code, phone, reversal (yes where a charge was taken
back), debit, credit.

As long as a column or a word of its status is not understood, nothing is settled: name the column with
--columns or --ignore-columns, the word with --status.

An unknown order that the statement charges becomes succeeded. One that it does not charge is held
unless --absent says otherwise, and then only if the statement proves it: it lacks none of our sold orders,
has some of them before and after it, and no charge that may be its own. docs/reconcile.md says all that is
needed, and what no statement can show. resend charges twice if the order was charged after all.

Running it again with the same statement does nothing twice.

Exit status: 0 both sides agree and nothing is left to check; 1 there are differences, lines that
cannot be read, or unknown orders that are held (or, in a dry run, would be settled), or it failed; 2
wrong usage, or a file that is no statement. --json shows which.`,
		Example: `  curl -s http://127.0.0.1:8081/sandbox/statement.csv | recarga reconcile - --dry-run
  recarga reconcile november.csv --covers 2026-11-01..2026-11-30 --absent failed --report november.html --csv differences.csv
  recarga reconcile export.txt --columns id=Referencia,amount=Monto --timezone America/Tijuana
  recarga reconcile raw.txt --delimiter '|' --columns time=1,phone=6,amount=7,id=12,status=13,reversal=14 --ignore-columns 2-5,8-11
  recarga reconcile codes.csv --status 1=charged,2=not_charged --ignore-columns Region`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return []cobra.Completion{"csv", "tsv", "txt"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	r := reconciling{p: p}
	options := reconcileFlags(p, cmd)
	flags := cmd.Flags()
	flags.IntVar(&r.show, "show", 10, "findings of each class that are printed")
	flags.StringVar(&r.htmlFile, "report", "", "write a report to this HTML file, to be read or printed")
	flags.StringVar(&r.csvFile, "csv", "", "write every finding to this CSV file")
	asJSON := command.JSONFlag(cmd)
	flags.Lookup("json").Usage = "print JSON, a finding a line, the summary last"
	return command.Admin(p, cmd, func(c command.Call) error {
		r.asJSON, r.show = *asJSON, max(r.show, 0)
		query := options(c.Args[0])
		if _, err := reconcile.ParseOptions(query, time.Now()); err != nil {
			return command.Usage(fmt.Errorf("%w; see recarga reconcile --help", err))
		}
		return r.run(c, c.Args[0], query)
	})
}

// reconcileFlags gives the command its options, and returns what makes the API's query of them.
func reconcileFlags(p *command.Program, cmd *cobra.Command) func(file string) url.Values {
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
		"covers": flags.String("covers", "",
			"FROM..UNTIL of which the statement names every charge: times (RFC 3339) or dates (default: its first to its "+
				"last charge)"),
		"margin": flags.String("margin", reconcile.DefaultMargin.String(),
			"by how much times may differ, and how far within that time an order must lie to be settled by absence"),
		"absent": flags.String("absent", "hold",
			"what happens to an unknown order that is covered and not charged: hold, failed or resend"),
		"by": flags.String("by", "", "who reconciles"+byDefault),
	}
	command.Completes(cmd, "dates", statement.DatesDayFirst, statement.DatesMonthFirst)
	command.Completes(cmd, "absent", reconcile.AbsentHold, reconcile.AbsentFailed, reconcile.AbsentResend)
	dryRun := flags.Bool("dry-run", false, "settle nothing, and say what would be")
	return func(file string) url.Values {
		q := url.Values{"name": {filepath.Base(file)}}
		if file == "-" {
			q.Set("name", "standard input")
		}
		if by := userName(); by != "" && !hasOwnKey(p, cmd) {
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
		if *dryRun {
			q.Set("dry_run", "true")
		}
		return q
	}
}

// reconciling is one run of the command.
type reconciling struct {
	p                 *command.Program
	show              int
	asJSON            bool
	htmlFile, csvFile string

	out         *bufio.Writer
	bar         *progressbar.ProgressBar
	report      *reconcile.Report
	page        *os.File               // nil: none is wanted
	differences *reconcile.Differences // nil: none are wanted
	ended       bool
}

func (r *reconciling) run(c command.Call, file string, query url.Values) (err error) {
	in, size, err := open(r.p, file)
	if err != nil {
		return command.Usage(err)
	}
	defer func() { _ = in.Close() }() // it was only read
	closeFiles, err := r.openFiles()
	if err != nil {
		return command.Usage(err)
	}
	defer func() { err = errors.Join(err, closeFiles()) }()
	r.out, r.bar = bufio.NewWriter(r.p.Stdout), r.p.Stderr.Progress("sending", size)
	counted := progressbar.NewReader(in, r.bar)
	err = c.API.Reconcile(c.Ctx, &counted, query, r.take)
	_ = r.bar.Finish()
	var problem *producer.Problem
	switch {
	case errors.As(err, &problem) && problem.Status == http.StatusUnprocessableEntity:
		return command.Usage(fmt.Errorf("%s: %w", file, err))
	case errors.As(err, &problem):
		return err
	case err == nil && !r.ended:
		err = errors.New("the answer ended without a summary")
	}
	if err != nil {
		return fmt.Errorf("%s: %w; run it again: what was settled stays settled", file, err)
	}
	return r.end()
}

// openFiles makes the files first: what was settled must not be without its report.
func (r *reconciling) openFiles() (closeAll func() error, err error) {
	var files []*os.File
	closeAll = func() (err error) {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
		return err
	}
	create := func(name string) (f *os.File) {
		if name == "" || err != nil {
			return nil
		}
		if f, err = os.Create(name); err == nil {
			files = append(files, f)
		}
		return f
	}
	r.report = reconcile.NewReport(r.show)
	if r.page = create(r.htmlFile); r.page != nil {
		r.report.Most = max(r.show, reportMost)
	}
	if f := create(r.csvFile); f != nil && err == nil {
		r.differences, err = reconcile.NewDifferences(f)
	}
	if err != nil {
		return nil, errors.Join(err, closeAll())
	}
	return closeAll, nil
}

func (r *reconciling) take(line json.RawMessage) error {
	result, err := reconcile.ParseResult(line)
	if err != nil {
		return err
	}
	if result.Progress != nil {
		r.bar.Describe(fmt.Sprintf("%s: %d", terminal.Printable(result.Progress.Step), result.Progress.Done))
		return nil
	}
	if r.asJSON {
		_, err = fmt.Fprintf(terminal.JSON(r.out), "%s\n", line)
	}
	if f := result.Finding; f != nil && err == nil {
		r.report.Add(*f)
		if r.differences != nil {
			err = r.differences.Add(*f)
		}
	}
	if result.Summary != nil {
		r.report.Summary, r.ended = *result.Summary, true
	}
	return err
}

func (r *reconciling) end() error {
	var errs []error
	if !r.asJSON {
		errs = append(errs, r.print(r.out))
	}
	errs = append(errs, r.out.Flush())
	if r.differences != nil {
		errs = append(errs, r.differences.End())
	}
	if r.page != nil {
		errs = append(errs, r.report.HTML(r.page, time.Now()))
	}
	if !r.report.Summary.Agrees {
		errs = append(errs, errors.New("the statement and the book do not agree"))
	}
	return errors.Join(errs...)
}

// print prints the figures, and then the findings, the worst first.
func (r *reconciling) print(w io.Writer) error {
	for _, fact := range r.report.Summary.Facts() {
		if _, err := fmt.Fprintf(w, "%-26s %s\n", fact[0]+":", terminal.Printable(fact[1])); err != nil {
			return err
		}
	}
	for _, s := range r.report.Sections() {
		if err := r.section(w, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *reconciling) section(w io.Writer, s reconcile.Section) error {
	if _, err := fmt.Fprintf(w, "\n%s: %d (%s)\n", s.Title, s.Count, s.Means); err != nil {
		return err
	}
	var rows [][]string
	for _, f := range s.Findings[:min(r.show, len(s.Findings))] {
		cells := f.Row()[1:]
		rows = append(rows, []string{cells[0], cells[1], cells[2], cells[3], cells[4], cells[8], cells[10]})
	}
	head := []string{"ORDER", "STATE", "LINES", "HERE", "THERE", "OUTCOME", "DETAIL"}
	screen := r.p.Stdout.Screen()
	screen.Writer = w
	if err := screen.Table(head, rows, "OUTCOME", "HERE", "THERE"); err != nil {
		return err
	}
	if more := s.Count - int64(len(rows)); more > 0 {
		_, err := fmt.Fprintf(w, "… and %d more\n", more)
		return err
	}
	return nil
}
