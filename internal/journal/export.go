package journal

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"strings"

	"recarga/topup"
)

// exportPage is how many orders an export reads at once: what it holds in memory, and how long its
// reading keeps SQLite from shortening its log.
const exportPage = 500

// Parts says what an export has beside the orders themselves.
type Parts struct {
	// Attempts come with the resolutions.
	Attempts, Events bool
}

// Export returns the orders that the filter chooses, the oldest first, with the parts that are asked for;
// the filter's Limit and Cursor do not count. It reads pages, each as it is at that moment: nothing is
// held open in between, however slow whoever reads them is. An error is the last that comes.
func (j *Journal) Export(ctx context.Context, f Filter, parts Parts) iter.Seq2[topup.Details, error] {
	return func(yield func(topup.Details, error) bool) {
		var after Place
		for {
			page, err := j.exportPage(ctx, f, parts, after)
			if err != nil {
				yield(topup.Details{}, fmt.Errorf("export: %w", err))
				return
			}
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
	place Place
}

func (j *Journal) exportPage(ctx context.Context, f Filter, parts Parts, after Place) (page []exported, err error) {
	t, err := j.engine.read.BeginTx(ctx, j.engine.readTx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Rollback() }() // it only read
	c := f.conditions()
	c.add("(created_at, key) > (%s, %s)", after.at, after.key)
	q, args := c.query("created_at, key", exportPage)
	records, err := query(ctx, t, scanOrder, q, args...)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	page = make([]exported, len(records))
	for i, r := range records {
		page[i] = exported{topup.Details{Order: r.Order}, Place{r.CreatedAt.UnixMicro(), r.key}}
		if parts.Attempts {
			page[i].Attempts = []topup.Attempt{}
		}
		if parts.Events {
			page[i].Events = []topup.Event{}
		}
	}
	return page, parts.read(ctx, t, records, page)
}

// read gives the orders of a page their parts.
func (p Parts) read(ctx context.Context, db querier, records []record, page []exported) (err error) {
	marks, keys, at := make([]string, len(records)), make([]any, len(records)), map[int64]*topup.Details{}
	for i, r := range records {
		marks[i], keys[i] = fmt.Sprintf("$%d", i+1), r.key
		at[r.key] = &page[i].Details
	}
	chosen := " IN (" + strings.Join(marks, ", ") + ") ORDER BY "
	if p.Attempts {
		q := "SELECT order_key, " + attemptColumns + " FROM attempts WHERE order_key" + chosen + "order_key, number"
		err = eachOf(ctx, db, scanAttempt, q, keys, func(key int64, a topup.Attempt) { at[key].Attempts = append(at[key].Attempts, a) })
		q = "SELECT order_key, " + resolutionColumns + " FROM resolutions WHERE order_key" + chosen + "order_key, attempt"
		err = cmp.Or(err, eachOf(ctx, db, scanResolution, q, keys, func(key int64, r topup.Resolution) { at[key].Resolutions = append(at[key].Resolutions, r) }))
	}
	if p.Events && err == nil {
		q := "SELECT e.order_key, " + eventColumns + eventTables + "WHERE e.order_key" + chosen + "e.order_key, e.sequence, e.endpoint"
		err = eachOf(ctx, db, scanEvent, q, keys, func(key int64, ev topup.Event) { at[key].Events = append(at[key].Events, ev) })
	}
	return err
}

// eachOf calls use with every row and the order that it is of, which is the row's first column.
func eachOf[T any](ctx context.Context, db querier, scan func(scanner) (T, error), q string, args []any, use func(order int64, one T)) error {
	_, err := query(ctx, db, func(row scanner) (struct{}, error) {
		var order int64
		one, err := scan(behind{row, &order})
		if err == nil {
			use(order, one)
		}
		return struct{}{}, err
	}, q, args...)
	return err
}

// behind is a row whose first column is taken.
type behind struct {
	row   scanner
	first any
}

func (b behind) Scan(dest ...any) error { return b.row.Scan(append([]any{b.first}, dest...)...) }
