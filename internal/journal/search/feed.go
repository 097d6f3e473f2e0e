package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// ErrFeedGone: events behind a place of a feed are not there any more, or the place itself never was: an archive has
// taken them, or the book is one that was restored from before.
var ErrFeedGone = errors.New("events behind this place are gone")

// FeedPlace is behind an event of a feed; the zero one is before the first that is kept.
type FeedPlace struct {
	// Position in the feed, from 1.
	Position int64 `json:"p"`
	// Event that is there.
	Event string `json:"e,omitempty"`
	// Started: the place was given out, so that what left since was not read.
	Started bool `json:"s,omitempty"`
}

// Feed is a page of a caller's events, in the order in which they were made, each once however many endpoints it is
// for; those that were made before there were feeds are in none. next is the place behind the last of them. What it
// shows is durable. An event that is made while it is read comes behind those that were read, never before: see
// settled. Errors: ErrFeedGone.
func (r *Reader) Feed(
	ctx context.Context, caller string, after FeedPlace, limit int,
) (events []topup.Event, next FeedPlace, err error) {
	next = after
	next.Started = true
	upTo, err := r.settled(ctx)
	if err == nil {
		err = r.db.Snapshot(ctx, func(t *sql.Tx) error {
			if err := r.checkPlace(ctx, t, caller, after); err != nil {
				return err
			}
			events, err = tables.Query(ctx, t, func(row tables.Scanner) (topup.Event, error) {
				ev, err := tables.ScanEvent(tables.Behind{Scanner: row, First: &next.Position})
				next.Event = ev.ID
				return ev, err
			}, sqls.Get("feed"), caller, after.Position, upTo, limit)
			return err
		})
	}
	if err == nil && len(events) > 0 {
		err = r.db.Confirm(ctx)
	}
	if err != nil {
		return nil, after, fmt.Errorf("feed of %s: %w", caller, err)
	}
	return events, next, nil
}

// checkPlace: behind the place nothing must have left, and the event before it must be the one that was read.
func (r *Reader) checkPlace(ctx context.Context, t *sql.Tx, caller string, after FeedPlace) error {
	if !after.Started {
		return nil
	}
	id, ok := tables.EventKey(after.Event)
	if !ok {
		id = nil
	}
	var left, there int64
	if err := t.QueryRowContext(ctx, sqls.Get("feed_place"), caller, after.Position, id).Scan(&left, &there); err != nil {
		return err
	}
	if after.Position < left || after.Position > left && after.Position > 0 && there == 0 {
		return ErrFeedGone
	}
	return nil
}

const (
	// settleFor is how long a read waits for the transactions under way, which takes a commit; longer only where one is
	// stuck. Then there is nothing to read for now.
	settleFor   = time.Second
	settlePause = 2 * time.Millisecond
)

// settled is a position up to which nothing more comes into a feed: each is committed, or never will be. In SQLite,
// positions become visible in their order. In PostgreSQL a transaction takes its positions before it ends, and others
// may end before it; so the position that was taken last counts once all those have ended that were under way then.
func (r *Reader) settled(ctx context.Context) (int64, error) {
	if !r.db.IsPostgres() {
		return math.MaxInt64, nil
	}
	end, err := r.db.Number(ctx, sqls.Get("postgres/feed_end"))
	if err != nil {
		return 0, err
	}
	open, err := r.feedWriters(ctx) // after the end was read: who took a position before it is there, or has ended
	for until := time.Now().Add(settleFor); err == nil && len(open) > 0; {
		if time.Now().After(until) {
			return 0, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(settlePause):
		}
		var now map[string]bool
		now, err = r.feedWriters(ctx)
		maps.DeleteFunc(open, func(transaction string, _ bool) bool { return !now[transaction] })
	}
	return end, err
}

func (r *Reader) feedWriters(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	_, err := tables.List(ctx, r.db, func(row tables.Scanner) (one struct{}, err error) {
		var transaction string
		err = row.Scan(&transaction)
		open[transaction] = true
		return one, err
	}, sqls.Get("postgres/feed_writers"))
	return open, err
}

// FeedEnds are the newest positions of some callers' feeds; 0 for one without events.
func (r *Reader) FeedEnds(ctx context.Context, callers []string) (map[string]int64, error) {
	return tables.Counted[string, int64](ctx, r.db, r.db.Words(sqls.Engines("feed_ends")), tables.Set(r.db, callers))
}
