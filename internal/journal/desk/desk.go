// Package desk is what the journal keeps of the operator's desk: what people did (the audit), and what they have set
// at run time (pauses and limits).
package desk

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"math"
	"strconv"
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

// Desk keeps it.
type Desk struct{ db *tables.DB }

// In keeps it in a database.
func In(db *tables.DB) *Desk { return &Desk{db} }

const (
	// pageLength is that of a page if the filter does not say, and longestPage if it says more.
	pageLength, longestPage = 50, 1000
	// controlsKey is of every operation that writes controls.
	controlsKey = "controls"
)

// RecordAct writes the action in whose name ctx is (audit.Of), which changes something outside of the book. Call it
// before that is changed, so that nothing is without its entry. Without such an action it is an error.
func (d *Desk) RecordAct(ctx context.Context) error {
	act, acts := audit.Of(ctx)
	if !acts {
		return errors.New("nobody is known who acts")
	}
	_, err := tables.Write(ctx, d.db, controlsKey, func(t *tables.Tx) (struct{}, error) {
		return struct{}{}, t.Act(act)
	})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Acts returns a page of the actions that a filter chooses, the latest first, and the cursor of the next page, empty
// after the last. A cursor that is none of ours is a *topup.FieldError.
func (d *Desk) Acts(ctx context.Context, f desk.ActFilter) (acts []desk.Act, next string, err error) {
	before, until := int64(math.MaxInt64), int64(math.MaxInt64)
	if f.Cursor != "" {
		if before, err = strconv.ParseInt(f.Cursor, 10, 64); err != nil {
			return nil, "", &topup.FieldError{Field: "cursor", Value: f.Cursor, Allowed: "the next_cursor of an earlier page"}
		}
	}
	if !f.Until.IsZero() {
		until = f.Until.UnixMicro()
	}
	if f.Limit <= 0 {
		f.Limit = pageLength
	}
	f.Limit = min(f.Limit, longestPage)
	args := []any{before, max(f.Since.UnixMicro(), 0), until, f.By, f.Action, f.Via, f.Limit + 1}
	query := sqls.Get("acts")
	switch {
	case f.ID != "":
		query, args = sqls.Get("things_of_act"), append(args, f.ID)
	case f.On != "":
		query, args = sqls.Get("acts_on"), append(args, f.On)
	}
	keyed, err := tables.List(ctx, d.db, scanAct, query, args...)
	if len(keyed) > f.Limit {
		keyed = keyed[:f.Limit]
		next = strconv.FormatInt(keyed[f.Limit-1].key, 10)
	}
	acts = make([]desk.Act, len(keyed))
	for i, a := range keyed {
		acts[i] = a.Act
	}
	return acts, next, err
}

// Actions are the latest desk.MostOnOrder that were done to an order or to its events, the oldest first. They stay
// when the order is archived.
func (d *Desk) Actions(ctx context.Context, id topup.ID) ([]topup.Action, error) {
	return tables.List(ctx, d.db, func(row tables.Scanner) (a topup.Action, err error) {
		err = row.Scan(tables.Time(&a.At), &a.By, &a.Role, &a.Via, &a.Action, &a.On, &a.Detail, &a.Reason)
		return a, err
	}, sqls.Get("acts_on_order"), string(id), desk.MostOnOrder)
}

// keyedAct is an action with the key of its row.
type keyedAct struct {
	desk.Act
	key int64
}

func scanAct(row tables.Scanner) (a keyedAct, err error) {
	err = row.Scan(&a.key, &a.ID, tables.Time(&a.At), &a.By, &a.Role, &a.Via, &a.Address, &a.Action, &a.On, &a.OrderID,
		&a.Detail, &a.Reason, &a.Count)
	return a, err
}

// Controls are what people have set at run time, the oldest first.
func (d *Desk) Controls(ctx context.Context) (desk.Controls, error) {
	return tables.List(ctx, d.db, func(row tables.Scanner) (c desk.Control, err error) {
		err = row.Scan(&c.Kind, &c.Name, &c.Value, tables.Time(&c.Since), &c.By, &c.Reason)
		return c, err
	}, sqls.Get("controls"))
}

// SetControl sets a pause or a limit. What is set so already stays as it is, with who did it first.
func (d *Desk) SetControl(ctx context.Context, c desk.Control) error {
	err := d.db.Change(ctx, controlsKey, nil, sqls.Get("set"), string(c.Kind), string(c.Name), string(c.Value),
		tables.Whole(c.Since).UnixMicro(), tables.Text(c.By), tables.Text(string(c.Reason)))
	if err != nil {
		return fmt.Errorf("set %s: %w", c, err)
	}
	return nil
}

// EndControl ends a pause, or has the settings say a limit again. Where none is set, nothing changes.
func (d *Desk) EndControl(ctx context.Context, kind desk.ControlKind, name string) error {
	if err := d.db.Change(ctx, controlsKey, nil, sqls.Get("unset"), string(kind), name); err != nil {
		return fmt.Errorf("end %s: %w", desk.Control{Kind: kind, Name: topup.NullString(name)}, err)
	}
	return nil
}

// PausedOrders counts the orders that wait for a pause to end, by caller and product.
func (d *Desk) PausedOrders(ctx context.Context) ([]desk.PausedOrders, error) {
	return tables.List(ctx, d.db, func(row tables.Scanner) (p desk.PausedOrders, err error) {
		var ends int64
		if err = row.Scan(&p.Caller, &p.Product, &p.Count, &ends); ends > 0 {
			p.FirstEnds = time.UnixMicro(ends).UTC()
		}
		return p, err
	}, sqls.Get("paused_orders"))
}
