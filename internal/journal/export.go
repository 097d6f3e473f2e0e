package journal

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"recarga/internal/journal/commit"
	"recarga/topup"
)

// exportPage is how many orders an export reads at once: what it holds in memory, and how long its
// reading keeps SQLite from shortening its log.
const exportPage = 500

// Parts says what an export has beside the orders themselves.
type Parts struct {
	// Attempts come with what people decided of the order.
	Attempts, Events bool
}

// everything is all parts.
var everything = Parts{Attempts: true, Events: true}

// Export returns the orders that the filter chooses, the oldest first, with the parts that are asked for;
// the filter's Limit and Cursor do not count. It reads pages, each as it is at that moment: nothing is
// held open in between, however slow whoever reads them is. Those of the archive come before the others. An error is
// the last that comes.
func (j *Journal) Export(ctx context.Context, f Filter, parts Parts) iter.Seq2[topup.Details, error] {
	return func(yield func(topup.Details, error) bool) {
		var after Place
		var known int64 // the newest member of the archive that has been looked at
		for {
			page, newest, err := j.exportPage(ctx, f, parts, after)
			if err != nil {
				yield(topup.Details{}, fmt.Errorf("export: %w", err))
				return
			}
			// What left since the page before was there when the pages up to it were read: only what is
			// behind them is missing.
			if !j.exportArchived(ctx, f, parts, after, known, newest, yield) {
				return
			}
			known = newest
			for _, one := range page {
				if !yield(one.Details, nil) {
					return
				}
				after = one.place
			}
			if len(page) < exportPage {
				return
			}
		}
	}
}

// exported is an order of an export, and where it stands in it.
type exported struct {
	topup.Details
	place Place // what the next page comes behind
}

var sqlNewestMember = sqls.Get("newest_member")

// exportPage reads a page and the newest member of the archive, both of one moment.
func (j *Journal) exportPage(
	ctx context.Context, f Filter, parts Parts, after Place,
) (page []exported, newest int64, err error) {
	t, err := j.engine.Read.BeginTx(ctx, j.engine.ReadTx)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = t.Rollback() }() // it only read
	records, err := query(ctx, t, scanOrder, f.oldest(false), f.args(after, exportPage)...)
	if err != nil {
		return nil, 0, err
	}
	if err := t.QueryRowContext(ctx, sqlNewestMember).Scan(&newest); err != nil || len(records) == 0 {
		return nil, newest, err
	}
	page = pageOf(records, parts)
	return page, newest, parts.read(ctx, j.engine, t, records, page)
}

// pageOf is a page whose parts are still to be read.
func pageOf(records []record, parts Parts) []exported {
	page := make([]exported, len(records))
	for i, r := range records {
		page[i] = exported{topup.Details{Order: r.Order}, Place{r.CreatedAt.UnixMicro(), r.key}}
		if parts.Attempts {
			page[i].Attempts = []topup.Attempt{}
		}
		if parts.Events {
			page[i].Events = []topup.Event{}
		}
	}
	return page
}

// The parts of the orders whose keys are chosen, each with the key before it.
var (
	sqlChosenAttempts    = sqls.Engines("chosen_attempts")
	sqlChosenResolutions = sqls.Engines("chosen_resolutions")
	sqlChosenCorrections = sqls.Engines("chosen_corrections")
	sqlChosenDisputes    = sqls.Engines("chosen_disputes")
	sqlChosenEvents      = sqls.Engines("chosen_events")
)

// read gives the orders of a page their parts.
func (p Parts) read(ctx context.Context, e *commit.Engine, db querier, records []record, page []exported) (err error) {
	keys := keysOf(e, records)
	at := map[int64]*topup.Details{}
	for i, r := range records {
		at[r.key] = &page[i].Details
	}
	if p.Attempts {
		err = eachOf(ctx, db, scanAttempt, e.Words(sqlChosenAttempts), keys,
			func(key int64, a topup.Attempt) { at[key].Attempts = append(at[key].Attempts, a) })
		err = cmp.Or(err, eachOf(ctx, db, scanResolution, e.Words(sqlChosenResolutions), keys,
			func(key int64, r topup.Resolution) { at[key].Resolutions = append(at[key].Resolutions, r) }))
		err = cmp.Or(err, eachOf(ctx, db, scanCorrection, e.Words(sqlChosenCorrections), keys,
			func(key int64, c topup.Correction) { at[key].Corrections = append(at[key].Corrections, c) }))
		err = cmp.Or(err, eachOf(ctx, db, scanDispute, e.Words(sqlChosenDisputes), keys,
			func(key int64, d topup.Dispute) { at[key].Disputes = append(at[key].Disputes, d) }))
	}
	if p.Events && err == nil {
		err = eachOf(ctx, db, scanEvent, e.Words(sqlChosenEvents), keys,
			func(key int64, ev topup.Event) { at[key].Events = append(at[key].Events, ev) })
	}
	return err
}

// exportArchived yields the orders behind a place that the filter chooses of the members of the archive above from, up
// to to. more reports that there is more to do.
func (j *Journal) exportArchived(
	ctx context.Context, f Filter, parts Parts, after Place, from, to int64, yield func(topup.Details, error) bool,
) (more bool) {
	if from == to {
		return true
	}
	since, until := f.created()
	for m, err := range j.members(ctx, from, to, since, until) {
		var entries []entry
		if err == nil {
			entries, err = j.present(ctx, m)
		}
		if err != nil {
			yield(topup.Details{}, fmt.Errorf("export: %w", err))
			return false
		}
		for _, e := range entries {
			if f.chooses(e.Order) && e.place().behind(after) && !yield(parts.of(e.Details), nil) {
				return false
			}
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

// eachOf calls use with every row and the order that it is of, which is the row's first column.
func eachOf[T any](
	ctx context.Context, db querier, scan func(scanner) (T, error), q string, keys any, use func(order int64, one T),
) error {
	_, err := query(ctx, db, func(row scanner) (struct{}, error) {
		var order int64
		one, err := scan(behind{row, &order})
		if err == nil {
			use(order, one)
		}
		return struct{}{}, err
	}, q, keys)
	return err
}

// behind is a row whose first column is taken.
type behind struct {
	row   scanner
	first any // where its first column goes
}

func (b behind) Scan(dest ...any) error { return b.row.Scan(append([]any{b.first}, dest...)...) }
