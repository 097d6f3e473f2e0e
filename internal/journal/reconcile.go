package journal

import (
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"recarga/internal/archive"
	"recarga/topup"
)

// Standing is an order as a statement of the distributor is compared with it.
type Standing struct {
	// ID is the order's.
	ID topup.ID
	// State that the order is in.
	State topup.State
	// Phone that the order tops up.
	Phone topup.Phone
	// Amount of the order, in centavos.
	Amount topup.Amount
	// TransactionID, Reference and AuthCode are the distributor's receipts; empty where it gave none.
	TransactionID, Reference, AuthCode string
	// Attempt is the number of the latest attempt: what a decision about the order is a decision about.
	Attempt int
	// Held reports that a statement charges it, though no attempt of it is in doubt, and so stopped it.
	Held bool
	// Approved reports that the distributor itself answered that it charged an attempt.
	Approved bool
	// Attempts counts those that moved money, or may have. Of an order that waits, or that a statement holds, they
	// are also those that were unavailable: a statement that charges it says that one of them did.
	Attempts int
	// From and Until bound when they did: from the start of the first to when the last was answered or, without an
	// answer, timed out. Zero when there are none.
	From, Until time.Time

	place Place // among the pages
}

// Place is where an order stands among those that are read page by page; the zero Place is before the first.
type Place struct {
	at  int64 // the time that the pages are sorted by, in microseconds
	key int64 // of the order's row, where times are equal
}

func (p Place) behind(other Place) bool {
	return p.at > other.at || p.at == other.at && p.key > other.key
}

// standingsPage is how many orders are read at once.
const standingsPage = 500

// An attempt that proves that it moved nothing says nothing about when money moved.
var (
	sqlStandings = sqls.Engines("standings")
	sqlSold      = sqls.Get("sold")
	sqlHeld      = sqls.Get("held")
	sqlMembersOf = sqls.Engines("members_of")
)

// Standings returns those of the orders that there are, archived ones too, in no order that means anything.
func (j *Journal) Standings(ctx context.Context, ids []topup.ID) ([]Standing, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	texts := make([]string, len(ids))
	missing := map[topup.ID]bool{}
	for i, id := range ids {
		texts[i], missing[id] = string(id), true
	}
	there, err := list(ctx, j, scanStanding, j.engine.Words(sqlStandings), set(j.engine, texts))
	if err != nil {
		return nil, err
	}
	for _, o := range there {
		delete(missing, o.ID)
	}
	if len(missing) == 0 {
		return there, nil
	}
	members, err := list(ctx, j, func(row scanner) (m stored, err error) {
		err = row.Scan(&m.number, &m.file, &m.place, &m.orders)
		return m, err
	}, j.engine.Words(sqlMembersOf), set(j.engine, texts))
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		entries, err := j.present(ctx, m)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if missing[e.ID] {
				there = append(there, e.standing())
			}
		}
	}
	return there, nil
}

// Sold returns the orders that have succeeded, ended at since or later and were placed by until, archived ones
// too: all that can have been charged between the two are among them. One that is archived meanwhile can come
// twice. An error is the last that comes.
func (j *Journal) Sold(ctx context.Context, since, until time.Time) iter.Seq2[Standing, error] {
	return func(yield func(Standing, error) bool) {
		// The tables come first: orders leave them for the archive, and never come back.
		tables := j.standingPages(ctx, Place{at: since.UnixMicro()}, func(after Place) ([]Standing, error) {
			return list(ctx, j, scanStanding, sqlSold, after.at, after.key, until.UnixMicro(), standingsPage)
		})
		for o, err := range tables {
			if !yield(o, err) || err != nil {
				return
			}
		}
		j.soldArchived(ctx, since, until, yield)
	}
}

// soldArchived yields the archived orders among Sold. All orders of a file ended before it was made.
func (j *Journal) soldArchived(ctx context.Context, since, until time.Time, yield func(Standing, error) bool) {
	oldest := archive.MadeFrom(since)
	for m, err := range j.members(ctx, 0, math.MaxInt64, math.MinInt64, until.UnixMicro()) {
		if err == nil && m.file < oldest {
			continue
		}
		var entries []entry
		if err == nil {
			entries, err = j.present(ctx, m)
		}
		if err != nil {
			yield(Standing{}, err)
			return
		}
		entries = slices.DeleteFunc(entries, func(e entry) bool {
			return e.State != topup.StateSucceeded || e.FinishedAt.Before(since) || e.CreatedAt.After(until)
		})
		for _, e := range entries {
			if !yield(e.standing(), nil) {
				return
			}
		}
	}
}

// Held returns the orders that are unknown, the oldest first. An error is the last that comes.
func (j *Journal) Held(ctx context.Context) iter.Seq2[Standing, error] {
	return j.standingPages(ctx, Place{}, func(after Place) ([]Standing, error) {
		return list(ctx, j, scanStanding, sqlHeld, after.at, after.key, standingsPage)
	})
}

// standingPages reads page after page, each as it is at that moment.
func (j *Journal) standingPages(
	ctx context.Context, after Place, next func(Place) ([]Standing, error),
) iter.Seq2[Standing, error] {
	return func(yield func(Standing, error) bool) {
		for {
			page, err := next(after)
			if err != nil {
				yield(Standing{}, err)
				return
			}
			for _, o := range page {
				if !yield(o, nil) {
					return
				}
				after = o.place
			}
			if len(page) < standingsPage {
				return
			}
		}
	}
}

func scanID(row scanner) (id topup.ID, err error) {
	err = row.Scan(&id)
	return id, err
}

func scanStanding(row scanner) (s Standing, err error) {
	var approved, held int
	err = row.Scan(&s.ID, &s.State, &s.Phone, &s.Amount, &s.TransactionID, &s.Reference, &s.AuthCode, &s.Attempt,
		&approved,
		&s.Attempts, when{&s.From}, when{&s.Until}, &s.place.at, &s.place.key, &held)
	s.Approved, s.Held = approved != 0, held != 0
	if s.Attempts == 0 {
		s.From, s.Until = time.Time{}, time.Time{}
	}
	return s, err
}
