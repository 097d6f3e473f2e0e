package producer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ReconcileOptions say how a statement is written, and what is done with what it says. Zero fields are what the API
// takes for an absent parameter; docs/reconcile.md says more of each.
type ReconcileOptions struct {
	// Name is the statement's file name, and By who reconciles, for the records of the orders that it settles.
	Name, By string
	// Columns names columns that are not found by their headers: id=HEADER,amount=3, by header or number. Ignored are
	// the headers or numbers of columns that say nothing of money.
	Columns, Ignored string
	// NoHeader: the first line is a charge.
	NoHeader bool
	// Delimiter is comma, semicolon, tab, pipe, or the character itself; empty: it is found out.
	Delimiter string
	// Decimal is the decimal mark of amounts: point or comma; empty: it is found out of each.
	Decimal string
	// Dates is the order of day and month in dates like 05/11/2026: dmy or mdy; empty is dmy.
	Dates string
	// Timezone is that of times without an offset; empty is America/Mexico_City.
	Timezone string
	// Status is what words of the status column mean: WORD=KIND,…, of charged, not_charged, reversed, pending. Charged
	// and NotCharged are more words of these two kinds; none has a comma.
	Status              string
	Charged, NotCharged []string
	// Covers is the time of which the statement names every charge, FROM..UNTIL, of two times of RFC 3339 or two dates;
	// empty: from its first to its last charge.
	Covers string
	// Margin is by how much times may differ, and how far within that time an order must lie to be settled by absence;
	// nil: an hour.
	Margin *time.Duration
	// Absent is what becomes of an unknown order that is covered and not charged: hold, failed or resend; empty is hold.
	Absent string
	// Restored: the book was restored from a backup, which was made at Since (RFC 3339, or a date; empty: not said). What
	// the statement charges and the book does not know is recorded as charged, and never bought.
	Restored bool
	Since    string
	// DryRun settles nothing, and says what would be.
	DryRun bool
}

// Parameters are the options as the API takes them.
func (o ReconcileOptions) Parameters() url.Values {
	q := query{"name": o.Name, "by": o.By, "columns": o.Columns, "ignore_columns": o.Ignored, "delimiter": o.Delimiter,
		"decimal": o.Decimal, "dates": o.Dates, "timezone": o.Timezone, "status": o.Status,
		"charged": strings.Join(o.Charged, ","), "not_charged": strings.Join(o.NotCharged, ","), "covers": o.Covers,
		"absent": o.Absent, "since": o.Since}
	if o.Margin != nil {
		q["margin"] = o.Margin.String()
	}
	q.flag("no_header", o.NoHeader)
	q.flag("restored", o.Restored)
	q.flag("dry_run", o.DryRun)
	return q.values()
}

// Reconcile sends a statement of the distributor, and calls each (nil: nobody) for every line of the answer while it
// comes. It takes as long as it takes: only ctx bounds it. It needs the admin key. After an error the same may be sent
// again: what was settled stays so.
func (c *Client) Reconcile(
	ctx context.Context, statement io.Reader, o ReconcileOptions, each func(json.RawMessage) error,
) error {
	res, err := c.stream(ctx, http.MethodPost, "/v1/reconciliations"+question(o.Parameters()), "text/csv", statement)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	for answer := newAnswer(res.Body); ; answer.body.N = maxAnswer {
		var line json.RawMessage
		err := answer.decode(&line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && each != nil {
			err = each(line)
		}
		if err != nil {
			return fmt.Errorf("reconcile: answer: %w", err)
		}
	}
}
