// Package reconcile compares a statement of the distributor with the journal: what was charged with
// what was sold. With the statement as evidence it settles orders that are held as unknown.
//
// A statement of any length, in any order, is first read as a whole, onto disk; nothing is settled from
// a part of one. Then its lines are matched with the orders, a page at a time. A reconciliation that
// was broken off can be repeated: what it settled agrees with the statement from then on.
package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"
	"time"

	"recarga/internal/journal"
	"recarga/topup"
)

// Book is what the journal knows of orders.
type Book interface {
	// Standings returns those of the orders that there are.
	Standings(ctx context.Context, ids []topup.ID) ([]journal.Standing, error)
	// Sold returns the succeeded orders that can have been charged between since and until, archived ones too.
	Sold(ctx context.Context, since, until time.Time) iter.Seq2[journal.Standing, error]
	// Held returns the unknown orders.
	Held(ctx context.Context) iter.Seq2[journal.Standing, error]
}

// Resolver settles orders that are held: producer.Producer. The resolution names the attempt that was looked at: of an
// order that has moved on, it must be refused.
type Resolver interface {
	Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error)
	// Hold stops an order that waits to be sent, and that the statement charges. Of one that does not wait any more it
	// must be refused.
	Hold(ctx context.Context, id topup.ID, h topup.Hold) (topup.Order, error)
}

// Disputer marks final orders that the statement contradicts: journal.Journal. The same evidence again changes
// nothing.
type Disputer interface {
	Dispute(ctx context.Context, id topup.ID, d topup.Dispute, now time.Time) (topup.Order, error)
}

// Reconciler reconciles statements.
type Reconciler struct {
	book     Book
	orders   Resolver
	disputes Disputer // nil: contradictions are only reported
	log      *slog.Logger
}

// New builds a Reconciler.
func New(book Book, orders Resolver, log *slog.Logger) *Reconciler {
	return &Reconciler{book: book, orders: orders, log: log}
}

// WithDisputes has the orders that a statement contradicts marked.
func (r *Reconciler) WithDisputes(d Disputer) *Reconciler {
	r.disputes = d
	return r
}

// Statement is a statement that was read. Close it.
type Statement struct {
	opts   Options
	stage  *stage
	layout layout
	sha256 string
	// notes say what is not compared.
	notes []string
	// doubts say what of the statement is not understood; as long as there are any, nothing is settled.
	doubts []string
}

// Read reads a statement to its end, onto disk. Errors: those of topup.FieldErrors for a file that is no
// statement, those of in, and those of the disk.
func Read(ctx context.Context, in io.Reader, opts Options) (*Statement, error) {
	digest := sha256.New()
	lines, err := newReader(io.TeeReader(in, digest), opts, time.Now())
	if err != nil {
		return nil, err
	}
	stage, err := newStage(ctx)
	if err != nil {
		return nil, err
	}
	if err = keep(ctx, lines, stage); err != nil {
		return nil, errors.Join(err, stage.close())
	}
	return &Statement{
		opts: opts, stage: stage, layout: lines.layout, sha256: hex.EncodeToString(digest.Sum(nil)),
		notes: append(notes(lines.layout), lines.table.Notes()...), doubts: lines.doubts(),
	}, nil
}

func keep(ctx context.Context, lines *reader, s *stage) error {
	for {
		l, wrong, err := lines.read()
		if errors.Is(err, io.EOF) {
			return s.end(ctx)
		}
		if err == nil {
			s.cut = s.cut || lines.cut
			err = s.add(ctx, l, wrong, lines.raw)
		}
		if err != nil {
			return fmt.Errorf("after line %d: %w", lines.number, err)
		}
	}
}

func notes(l layout) []string {
	list := []string{}
	for _, n := range []struct {
		column Column
		text   string
	}{
		{ColumnID, noIDs(l) + "lines are matched by the distributor's alone, and no unknown order can be found or be " +
			"absent"},
		{ColumnAmount, "no column holds the amount in MXN: amounts are not compared"},
		{ColumnTime, "no column holds the time: what the statement covers is not known, unless it is given with covers"},
		{ColumnPhone, "no column holds the phone: phones are not compared"},
		{ColumnTransaction, "no column holds the distributor's ids: two lines of one order count as two charges"},
	} {
		if !l.has(n.column) {
			list = append(list, n.text)
		}
	}
	if !l.has(ColumnStatus) && !l.has(ColumnCode) {
		list = append(list, "no column holds the status: every line counts as a charge")
	}
	return list
}

// idColumns names the columns that hold ids.
func (s *Statement) idColumns() (text string) {
	for _, c := range []Column{ColumnID, ColumnTransaction, ColumnReference, ColumnAuthCode} {
		if s.layout.has(c) {
			text += fmt.Sprintf("; column %s holds none of our orders, read as %s", s.layout.name(c), c)
		}
	}
	return text + ": say with columns which one holds our ids (id), or the authorisation codes (auth_code)"
}

// noIDs names the columns that hold ids of others.
func noIDs(l layout) string {
	var others []string
	for _, c := range []Column{ColumnTransaction, ColumnReference, ColumnAuthCode} {
		if l.has(c) {
			others = append(others, fmt.Sprintf("%s is none of them, and is read as %s", l.name(c), c))
		}
	}
	return "no column holds our ids (" + strings.Join(others, "; ") + "; else name it with columns): "
}

// doubts say what of the statement is not understood.
func (r *reader) doubts() []string {
	list := []string{}
	for _, name := range r.table.NotUnderstood() {
		list = append(list, fmt.Sprintf(
			"column %s: say what it holds with columns, or that it says nothing with ignore_columns",
			strings.TrimPrefix(name, "column ")))
	}
	if r.strange > 0 {
		list = append(list, fmt.Sprintf(
			"%d lines with words that are not known, such as %s: say what they mean with status, as in %s=charged",
			r.strange, strings.Join(r.unknown, ", "), r.unknown[0]))
	}
	if r.neither != "" {
		list = append(list, fmt.Sprintf("column %s: %s is neither yes nor no", r.layout.name(ColumnReversal), r.neither))
	}
	return list
}

// Close removes what Read kept.
func (s *Statement) Close() error { return s.stage.close() }

// source names the statement in the orders' records.
func (s *Statement) source() string {
	return fmt.Sprintf("statement %q (sha256 %s)", s.opts.Name, s.sha256)
}

func (s *Statement) judging() judging {
	return judging{source: s.source(), slop: s.opts.Margin + s.stage.times.unit(), amounts: s.stage.amounts,
		phones: s.stage.phones}
}

// Run reconciles the statement and calls emit for every finding, now and then with the progress, and at
// the end once with the summary. An error of emit ends it. What it has settled until an error stays
// settled.
//
// Where Options.Covers does not say which time the statement covers, it is that from the first to the
// last charge whose time is, within the margin, that of our own attempt: a time that was misread, or
// is of another zone, then stretches it by nothing.
func (r *Reconciler) Run(ctx context.Context, s *Statement, emit func(Result) error) error {
	j := &job{r: r, s: s, stage: s.stage, emit: emit, lastly: time.Now(), judging: s.judging(), sum: Summary{
		Statement: s.opts.Name, SHA256: s.sha256, Lines: s.stage.lines, Columns: s.layout.names(), Charged: s.stage.charges,
		Findings: map[Class]int64{}, Settled: map[topup.ResolvedAs]int64{}, DryRun: s.opts.DryRun, Notes: s.notes,
		NotUnderstood: s.doubts,
	}}
	for _, step := range []func(context.Context) error{
		j.badLines, j.unnamed, j.adopt, j.compare, j.cover, j.missing, j.decided, j.absent,
	} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("reconcile %s: %w", s.opts.Name, err)
		}
	}
	j.sum.Agrees = !j.differs && len(s.doubts) == 0
	r.log.InfoContext(ctx, "statement reconciled", "statement", s.opts.Name, "sha256", s.sha256, "lines", j.sum.Lines,
		"matched", j.sum.Matched, "agrees", j.sum.Agrees, "dry_run", s.opts.DryRun)
	return emit(Result{Summary: &j.sum})
}
