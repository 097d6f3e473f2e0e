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
	"time"

	"recarga/internal/journal/search"
	"recarga/internal/reconcile/statement"
	"recarga/internal/table"
	"recarga/topup"
)

// Book is what the journal knows of orders.
type Book interface {
	// Standings returns those of the orders that there are.
	Standings(ctx context.Context, ids []topup.ID) ([]search.Standing, error)
	// Sold returns the succeeded orders that can have been charged between since and until, archived ones too.
	Sold(ctx context.Context, since, until time.Time) iter.Seq2[search.Standing, error]
	// Held returns the unknown orders.
	Held(ctx context.Context) iter.Seq2[search.Standing, error]
}

// Orders are the operations on orders that a statement has reason for: producer.Producer.
type Orders interface {
	// Resolve settles an order that is held. The resolution names the attempt that was looked at: of an order that has
	// moved on, it must be refused.
	Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error)
	// Hold stops an order that waits to be sent, and that the statement charges. Of one that does not wait any more it
	// must be refused.
	Hold(ctx context.Context, id topup.ID, h topup.Hold) (topup.Order, error)
	// Restore records an order that the statement charges and that the book, restored from a backup, does not know. Of
	// one that it knows it must be refused.
	Restore(ctx context.Context, c topup.LostCharge) (topup.Order, error)
	// Dispute marks a final order that the statement contradicts. The same evidence again changes nothing.
	Dispute(ctx context.Context, id topup.ID, d topup.Dispute) (topup.Order, error)
}

// Reconciler reconciles statements.
type Reconciler struct {
	book   Book
	orders Orders
	log    *slog.Logger
}

// New builds a Reconciler.
func New(book Book, orders Orders, log *slog.Logger) *Reconciler {
	return &Reconciler{book: book, orders: orders, log: log}
}

// Statement is a statement that was read. Close it.
type Statement struct {
	opts   Options
	stage  *stage
	layout *table.Layout
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
	lines, err := statement.NewReader(io.TeeReader(in, digest), opts.Format, time.Now())
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
		opts: opts, stage: stage, layout: lines.Layout, sha256: hex.EncodeToString(digest.Sum(nil)),
		notes: lines.Notes(), doubts: lines.Doubts(),
	}, nil
}

func keep(ctx context.Context, lines *statement.Reader, s *stage) error {
	for {
		l, wrong, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return s.end(ctx)
		}
		if err == nil {
			s.cut = s.cut || lines.Cut
			err = s.add(ctx, l, wrong, lines.Raw)
		}
		if err != nil {
			return fmt.Errorf("after line %d: %w", lines.Number, err)
		}
	}
}

// idColumns names the columns that hold ids.
func (s *Statement) idColumns() (text string) {
	for _, c := range []string{statement.ColumnID, statement.ColumnTransaction, statement.ColumnReference,
		statement.ColumnAuthCode} {
		if s.layout.Has(c) {
			text += fmt.Sprintf("; column %s holds none of our orders, read as %s", s.layout.Name(c), c)
		}
	}
	return text + ": say with columns which one holds our ids (id), or the authorisation codes (auth_code)"
}

// Close removes what Read kept.
func (s *Statement) Close() error { return s.stage.close() }

// source names the statement in the orders' records.
func (s *Statement) source() string {
	return fmt.Sprintf("statement %q (sha256 %s)", s.opts.Name, s.sha256)
}

func (s *Statement) comparison() comparison {
	return comparison{source: s.source(), slop: s.opts.Margin + s.stage.times.Unit(), amounts: s.stage.amounts,
		phones: s.stage.phones, restored: s.opts.Restored, since: s.opts.Since, now: time.Now()}
}

// Run reconciles the statement and calls emit for every finding, now and then with the progress, and at
// the end once with the summary. An error of emit ends it. What it has settled until an error stays
// settled.
//
// Where Options.Covers does not say which time the statement covers, it is that from the first to the
// last charge whose time is, within the margin, that of our own attempt: a time that was misread, or
// is of another zone, then stretches it by nothing.
func (r *Reconciler) Run(ctx context.Context, s *Statement, emit func(Result) error) error {
	j := &job{r: r, s: s, stage: s.stage, emit: emit, lastly: time.Now(), comparison: s.comparison(), sum: Summary{
		Statement: s.opts.Name, SHA256: s.sha256, Lines: s.stage.lines, Columns: s.layout.Names(), Charged: s.stage.charges,
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
