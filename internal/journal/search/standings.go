package search

import (
	"context"
	"iter"
	"time"

	"recarga/internal/journal/archived"
	"recarga/internal/journal/tables"
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

	place tables.Place // among the pages
}

// Placed is when an order was placed that is not final.
func (s Standing) Placed() time.Time { return time.UnixMicro(s.place.At).UTC() }

// standingsPage is how many orders are read at once.
const standingsPage = 500

// Standings returns those of the orders that there are, archived ones too, in no order that means anything.
func (r *Reader) Standings(ctx context.Context, ids []topup.ID) ([]Standing, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	there, err := tables.List(ctx, r.db, scanStanding, r.db.Words(sqls.Engines("standings")), tables.Set(r.db, ids))
	if err != nil {
		return nil, err
	}
	missing := map[topup.ID]bool{}
	for _, id := range ids {
		missing[id] = true
	}
	for _, o := range there {
		delete(missing, o.ID)
	}
	if len(missing) == 0 {
		return there, nil
	}
	left, err := r.archived.With(ctx, ids)
	for _, e := range left {
		if missing[e.ID] {
			there = append(there, standingOf(e))
		}
	}
	return there, err
}

// Sold returns the orders that have succeeded, ended at since or later and were placed by until, archived ones
// too: all that can have been charged between the two are among them. One that is archived meanwhile can come
// twice. An error is the last that comes.
func (r *Reader) Sold(ctx context.Context, since, until time.Time) iter.Seq2[Standing, error] {
	return func(yield func(Standing, error) bool) {
		// The tables come first: orders leave them for the archive, and never come back.
		there := standingPages(tables.Place{At: since.UnixMicro()}, func(after tables.Place) ([]Standing, error) {
			return tables.List(ctx, r.db, scanStanding, sqls.Get("sold"), after.At, after.Key, until.UnixMicro(),
				standingsPage)
		})
		for o, err := range there {
			if !yield(o, err) || err != nil {
				return
			}
		}
		left := archived.Everything()
		left.Until, left.EndedSince = until.UnixMicro(), since
		for e, err := range r.archived.Left(ctx, left) {
			if err != nil {
				yield(Standing{}, err)
				return
			}
			sold := e.State == topup.StateSucceeded && !e.FinishedAt.Before(since) && !e.CreatedAt.After(until)
			if sold && !yield(standingOf(e), nil) {
				return
			}
		}
	}
}

// Held returns the orders that are unknown, the oldest first. An error is the last that comes.
func (r *Reader) Held(ctx context.Context) iter.Seq2[Standing, error] {
	return standingPages(tables.Place{}, func(after tables.Place) ([]Standing, error) {
		return tables.List(ctx, r.db, scanStanding, sqls.Get("held"), after.At, after.Key, standingsPage)
	})
}

// standingPages reads page after page, each as it is at that moment.
func standingPages(
	after tables.Place, next func(tables.Place) ([]Standing, error),
) iter.Seq2[Standing, error] {
	return func(yield func(Standing, error) bool) {
		for after := after; ; {
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

func scanStanding(row tables.Scanner) (s Standing, err error) {
	var approved, held int
	err = row.Scan(&s.ID, &s.State, &s.Phone, &s.Amount, &s.TransactionID, &s.Reference, &s.AuthCode, &s.Attempt,
		&approved, &s.Attempts, tables.Time(&s.From), tables.Time(&s.Until), &s.place.At, &s.place.Key, &held)
	s.Approved, s.Held = approved != 0, held != 0
	if s.Attempts == 0 {
		s.From, s.Until = time.Time{}, time.Time{}
	}
	return s, err
}

// standingOf is an order that has left as the statements of sql/standings.sqlite.sql read it.
func standingOf(e archived.Entry) Standing {
	s := Standing{
		ID: e.ID, State: e.State, Phone: e.Phone, Amount: e.Amount, TransactionID: string(e.TransactionID),
		Reference: string(e.Reference), AuthCode: string(e.AuthCode), Attempt: e.AttemptCount,
	}
	for i, a := range e.Attempts {
		if a.Outcome == topup.OutcomeUnavailable || a.Outcome == topup.OutcomeNotSent || a.Outcome == topup.OutcomeDeclined {
			continue
		}
		until := e.Journal.Attempts[i].Deadline
		if a.FinishedAt != nil && (a.Outcome == topup.OutcomeApproved || a.FinishedAt.After(until)) {
			until = *a.FinishedAt
		}
		s.Approved = s.Approved || a.Outcome == topup.OutcomeApproved
		if s.Attempts++; s.Attempts == 1 || a.StartedAt.Before(s.From) {
			s.From = a.StartedAt
		}
		if until.After(s.Until) {
			s.Until = until
		}
	}
	return s
}
