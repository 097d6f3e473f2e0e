// Package actions keeps the bulk actions: what is done to which orders or events, page by page, and what came of it.
package actions

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"recarga/internal/audit"
	"recarga/internal/journal/tables"
	"recarga/internal/sqlfile"
	"recarga/topup"
	"recarga/topup/desk"
)

//go:embed sql
var sqlFiles embed.FS

var sqls = sqlfile.Load(sqlFiles, "sql")

const (
	// kept is how long it is known whom an action was done to.
	kept = 90 * 24 * time.Hour
	// unready is how long an action may take to be written.
	unready = time.Hour
	// mostRefusals bounds what one action says of its refusals.
	mostRefusals = 200
)

// Log keeps them.
type Log struct{ db *tables.DB }

// In keeps them in a database.
func In(db *tables.DB) *Log { return &Log{db} }

// AddBulk writes an action with its pages. Nothing is done before all of them are there, and it is audited with the
// last.
func (s *Log) AddBulk(ctx context.Context, a topup.BulkAction, pages []string) error {
	at, step := tables.Whole(a.CreatedAt), audit.Nobody(ctx)
	err := s.write(step, a.ID, func(t *tables.Tx) error {
		for _, forget := range []struct {
			query  string
			before time.Time
		}{{sqls.Get("forget_pages"), at.Add(-kept)}, {sqls.Get("forget_unready"), at.Add(-unready)}} {
			if _, err := t.Exec(forget.query, forget.before.UnixMicro()); err != nil {
				return err
			}
		}
		_, err := t.Exec(sqls.Get("add_action"), a.ID, string(a.Action), a.Filter, string(a.Outcome), number(a.Forced),
			tables.Text(a.Reason), tables.Text(a.By), at.UnixMicro(), a.Count)
		return err
	})
	for i, page := range pages { // each by itself: purchases must not wait for all of them
		if err == nil {
			err = s.write(step, a.ID, func(t *tables.Tx) error {
				_, err := t.Exec(sqls.Get("add_page"), a.ID, i, page)
				return err
			})
		}
	}
	if err == nil {
		err = s.write(ctx, a.ID, func(t *tables.Tx) error {
			_, err := t.Exec(sqls.Get("ready"), a.ID, at.UnixMicro())
			return err
		})
	}
	return err
}

func (s *Log) write(ctx context.Context, id string, run func(*tables.Tx) error) error {
	_, err := tables.Write(ctx, s.db, "bulk "+id, func(t *tables.Tx) (struct{}, error) { return struct{}{}, run(t) })
	if err != nil {
		return fmt.Errorf("bulk action %s: %w", id, err)
	}
	return nil
}

func number(flag bool) int {
	if flag {
		return 1
	}
	return 0
}

// BulkAction is an action with the first of its refusals, or topup.ErrNotFound.
func (s *Log) BulkAction(ctx context.Context, id string) (topup.BulkAction, error) {
	a, err := tables.One(ctx, s.db, scan, sqls.Get("action"), id)
	if err != nil {
		return a, fmt.Errorf("bulk action %s: %w", id, err)
	}
	pages, err := tables.List(ctx, s.db, func(row tables.Scanner) (all []topup.BulkRefusal, err error) {
		var text string
		if err = row.Scan(&text); err == nil {
			err = json.Unmarshal([]byte(text), &all)
		}
		return all, err
	}, sqls.Get("refusals"), id, mostRefusals)
	for _, page := range pages {
		a.Refusals = append(a.Refusals, page...)
	}
	a.Refusals = a.Refusals[:min(len(a.Refusals), mostRefusals)]
	return a, err
}

// BulkStarter is who began an action, from where and why, as the audit has it; ok is false where nobody did: what the
// program does by itself is no action of anybody.
func (s *Log) BulkStarter(ctx context.Context, id string) (began desk.Act, ok bool, err error) {
	began, err = tables.One(ctx, s.db, func(row tables.Scanner) (a desk.Act, err error) {
		err = row.Scan(&a.By, &a.Role, &a.Via, &a.Address, &a.Reason)
		return a, err
	}, sqls.Get("starter"), id)
	switch {
	case errors.Is(err, topup.ErrNotFound):
		return began, false, nil
	case err != nil:
		return began, false, fmt.Errorf("who began bulk action %s: %w", id, err)
	}
	return began, true, nil
}

// Bulks are so many actions, the newest first, that come before one; empty: the newest of all.
func (s *Log) Bulks(ctx context.Context, before string, limit int) ([]topup.BulkAction, error) {
	if before == "" {
		before = "~" // behind every id
	}
	return tables.List(ctx, s.db, scan, sqls.Get("actions"), before, limit)
}

// OpenBulks are the actions that a worker may do now, the oldest first: nobody else does them.
func (s *Log) OpenBulks(ctx context.Context, worker string, now time.Time) ([]topup.BulkAction, error) {
	return tables.List(ctx, s.db, scan, sqls.Get("open_actions"), now.UnixMicro(), worker)
}

// ClaimBulk gives a worker the right to do an action for a while: to one of those who ask. false: another one has it,
// or it has ended or been stopped.
func (s *Log) ClaimBulk(ctx context.Context, id, worker string, until, now time.Time) (mine bool, err error) {
	err = s.write(ctx, id, func(t *tables.Tx) error {
		n, err := t.Exec(sqls.Get("claim"), id, worker, until.UnixMicro(), now.UnixMicro())
		mine = n > 0
		return err
	})
	return mine, err
}

// BulkPage is the first page of an action that is not finished, or topup.ErrNotFound.
func (s *Log) BulkPage(ctx context.Context, id string) (number int, members string, err error) {
	type page struct {
		number  int
		members string
	}
	p, err := tables.One(ctx, s.db, func(row tables.Scanner) (p page, err error) {
		err = row.Scan(&p.number, &p.members)
		return p, err
	}, sqls.Get("next_page"), id)
	return p.number, p.members, err
}

// FinishBulkPage notes what came of a page, once.
func (s *Log) FinishBulkPage(
	ctx context.Context, id string, number, done int, refusals []topup.BulkRefusal, now time.Time,
) error {
	text := ""
	if len(refusals) > 0 {
		encoded, err := json.Marshal(refusals)
		if err != nil {
			return err
		}
		text = tables.Text(string(encoded))
	}
	return s.write(ctx, id, func(t *tables.Tx) error {
		n, err := t.Exec(sqls.Get("finish_page"), id, number, now.UnixMicro(), text)
		if err == nil && n > 0 {
			_, err = t.Exec(sqls.Get("count"), id, done, len(refusals))
		}
		return err
	})
}

// EndBulk notes that an action is done, or has stopped.
func (s *Log) EndBulk(ctx context.Context, id string, now time.Time) error {
	return s.write(ctx, id, func(t *tables.Tx) error {
		_, err := t.Exec(sqls.Get("end_action"), id, now.UnixMicro())
		return err
	})
}

// StopBulk has an action begin no further page. One that has ended stays as it is.
func (s *Log) StopBulk(ctx context.Context, id, by string, now time.Time) error {
	return s.write(ctx, id, func(t *tables.Tx) error {
		_, err := t.Exec(sqls.Get("stop"), id, now.UnixMicro(), tables.Text(by))
		return err
	})
}

func scan(row tables.Scanner) (a topup.BulkAction, err error) {
	var forced int
	var stopped *time.Time
	err = row.Scan(&a.ID, &a.Action, &a.Filter, &a.Outcome, &forced, &a.Reason, &a.By, tables.Time(&a.CreatedAt),
		&a.Count, &a.Done, &a.Refused, tables.TimeOrNil(&stopped), &a.StoppedBy, tables.TimeOrNil(&a.EndedAt))
	a.Forced = forced != 0
	a.State = stateOf(stopped != nil, a.EndedAt != nil, a.Left())
	return a, err
}

// stateOf: one that was stopped after its last page is done all the same.
func stateOf(stopped, ended bool, left int) topup.BulkState {
	switch {
	case ended && left > 0:
		return topup.BulkStopped
	case ended:
		return topup.BulkDone
	case stopped:
		return topup.BulkStopping
	}
	return topup.BulkRunning
}
