package search

import (
	"context"
	"database/sql"
	"fmt"
	"iter"

	"recarga/internal/journal/archived"
	"recarga/internal/journal/tables"
	"recarga/topup"
)

// exportPage is how many orders an export reads at once: what it holds in memory, and how long its
// reading keeps SQLite from shortening its log.
const exportPage = 500

// Parts says what an export has beside the orders themselves.
type Parts struct {
	// Attempts come with what people decided of the order.
	Attempts, Events bool
	// Conclusions are what the evidence says of those that are unknown, read after their page. They show other orders:
	// they are for the operator.
	Conclusions bool
}

// Export returns the orders that the filter chooses, the oldest first, with the parts that are asked for;
// the filter's Limit and Cursor do not count. It reads pages, each as it is at that moment: nothing is
// held open in between, however slow whoever reads them is. Those of the archive come before the others. An error is
// the last that comes.
func (r *Reader) Export(ctx context.Context, f Filter, parts Parts) iter.Seq2[topup.Details, error] {
	return func(yield func(topup.Details, error) bool) {
		var after tables.Place
		left := archived.Range{}
		left.Since, left.Until = f.created()
		for {
			page, next, newest, err := r.exportPage(ctx, f, parts, after)
			if err != nil {
				yield(topup.Details{}, fmt.Errorf("export: %w", err))
				return
			}
			// What left since the page before was there when the pages up to it were read: only what is
			// behind them is missing.
			if left.UpTo = newest; left.After < newest && !r.exportLeft(ctx, f, parts, after, left, yield) {
				return
			}
			for _, one := range page {
				if !yield(one, nil) {
					return
				}
			}
			if len(page) < exportPage {
				return
			}
			after, left.After = next, newest
		}
	}
}

// exportPage reads a page, where the next one begins, and the newest member of the archive, all of one moment.
func (r *Reader) exportPage(
	ctx context.Context, f Filter, parts Parts, after tables.Place,
) (page []topup.Details, next tables.Place, newest int64, err error) {
	err = r.db.Snapshot(ctx, func(t *sql.Tx) error {
		records, err := tables.Query(ctx, t, tables.ScanOrder, f.oldest(r.db.Words), f.args(after, exportPage)...)
		if err != nil {
			return err
		}
		if len(records) > 0 {
			next = records[len(records)-1].Place()
		}
		if newest, err = archived.Newest(ctx, t); err != nil {
			return err
		}
		page, err = r.db.DetailsOf(ctx, t, records, parts.Attempts, parts.Events)
		return err
	})
	if err == nil && parts.Conclusions {
		err = r.concludeAll(ctx, page)
	}
	return page, next, newest, err
}

// exportLeft yields the orders behind a place that the filter chooses of those that have left. more reports that there
// is more to do.
func (r *Reader) exportLeft(ctx context.Context, f Filter, parts Parts, after tables.Place, left archived.Range,
	yield func(topup.Details, error) bool,
) (more bool) {
	for e, err := range r.archived.Left(ctx, left) {
		if err != nil {
			yield(topup.Details{}, fmt.Errorf("export: %w", err))
			return false
		}
		if f.chooses(e.Order) && e.Place().Behind(after) && !yield(parts.of(e.Details), nil) {
			return false
		}
	}
	return true
}

// of leaves out the parts that are not asked for.
func (p Parts) of(d topup.Details) topup.Details {
	if !p.Attempts {
		d.Attempts, d.Resolutions, d.Corrections, d.Disputes = nil, nil, nil, nil
	}
	if !p.Events {
		d.Events = nil
	}
	return d
}
