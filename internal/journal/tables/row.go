package tables

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"recarga/internal/clip"
	"recarga/topup"
)

// Released is what the column line has of a released order; of a waiting one it has its priority's rank.
const Released = -1

// Record is an order's row: the order, and what only the journal needs of it.
type Record struct {
	topup.Order
	// Key of the row.
	Key int64
	// Fingerprint of the order's content; empty of one that is Unclaimed.
	Fingerprint []byte
	// EventCount is how many events it has had.
	EventCount int
	// Doubts are the attempts of an order that is not final whose outcome is unknown.
	Doubts int
}

// ScanOrder reads the columns that every statement about an order returns, in their order.
func ScanOrder(row Scanner) (r Record, err error) {
	r.Currency = topup.Currency
	var metadata, balance string
	var rank int
	var line sql.NullInt64
	err = row.Scan(&r.Key, &r.Fingerprint, &r.EventCount, &r.Doubts, &r.ID, &r.Caller, &r.State, &r.Reason, &r.Phone,
		&r.Product, &r.Amount, &r.Operator, &metadata, &r.CallbackURL, &r.AttemptCount, &r.ResponseCode,
		&r.ResponseMessage, &r.TransactionID, &r.Reference, &r.AuthCode, &balance, Time(&r.CreatedAt),
		Time(&r.UpdatedAt), TimeOrNil(&r.ProcessAt), TimeOrNil(&r.ExpiresAt), TimeOrNil(&r.NextAttemptAt),
		TimeOrNil(&r.FinishedAt), &rank, &line, &r.WaitsFor, TimeOrNil(&r.DisputedAt), TimeOrNil(&r.EndsAt))
	if err != nil {
		return r, err
	}
	if r.State.Final() {
		r.EndsAt = nil
	}
	r.Unclaimed = len(r.Fingerprint) == 0
	r.Priority, r.Released = topup.PriorityOfRank(rank), line.Valid && line.Int64 == Released
	if balance != "" {
		n := json.Number(balance)
		r.BalanceAfter = &n
	}
	r.Metadata = map[string]string{}
	if metadata != "" {
		if err := json.Unmarshal([]byte(metadata), &r.Metadata); err != nil {
			return r, fmt.Errorf("order %s: metadata: %w", r.ID, err)
		}
	}
	return r, nil
}

// Time reads a time from its column of microseconds.
func Time(t *time.Time) sql.Scanner { return present{t} }

type present struct{ t *time.Time }

func (p present) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", v)
	}
	*p.t = time.UnixMicro(n).UTC()
	return nil
}

// TimeOrNil reads a time that may be absent.
func TimeOrNil(t **time.Time) sql.Scanner { return optional{t} }

type optional struct{ t **time.Time }

func (o optional) Scan(v any) error {
	if *o.t = nil; v == nil {
		return nil
	}
	*o.t = new(time.Time)
	return present{*o.t}.Scan(v)
}

// Whole cuts a time to what the journal keeps, so that an order reads back as it was returned.
func Whole(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// WholeOrNil is Whole of a time that may be absent.
func WholeOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	w := Whole(*t)
	return &w
}

// Micros is the column of a time that may be absent.
func Micros(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMicro()
}

// maxText bounds a text that came from outside. The distributor's client bounds its own; an invalid
// order's error names whatever its producer wrote.
const maxText = 4 << 10

// Text makes what came from outside storable: PostgreSQL takes neither a NUL nor broken UTF-8.
func Text(s string) string {
	return clip.To(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD"), maxText)
}

func scanAttempt(row Scanner) (a topup.Attempt, err error) {
	var status int
	var worker string
	err = row.Scan(&a.Number, Time(&a.StartedAt), TimeOrNil(&a.FinishedAt), &a.Outcome, &status, &a.ResponseCode,
		&a.ResponseMessage, &a.Error, &a.Evidence, &worker)
	a.Probe = topup.IsProbe(worker)
	if status != 0 {
		a.HTTPStatus = &status
	}
	return a, err
}

func scanResolution(row Scanner) (r topup.Resolution, err error) {
	var forced int
	err = row.Scan(&r.Attempt, &r.Outcome, &r.Reason, &r.By, &forced, &r.TransactionID, &r.Reference, &r.AuthCode,
		Time(&r.At))
	r.Forced = forced != 0
	return r, err
}

func scanCorrection(row Scanner) (c topup.Correction, err error) {
	err = row.Scan(&c.Outcome, &c.Reason, &c.By, &c.Was, &c.WasTransactionID, &c.TransactionID, &c.Reference,
		&c.AuthCode, Time(&c.At))
	return c, err
}

func scanDispute(row Scanner) (d topup.Dispute, err error) {
	err = row.Scan(Time(&d.Since), &d.Evidence, &d.RaisedBy, TimeOrNil(&d.EndedAt), &d.Outcome, &d.Reason, &d.EndedBy)
	return d, err
}

// Place is where an order stands among those that are read page by page; the zero Place is before the first.
type Place struct {
	// At is the time that the pages are sorted by, in microseconds.
	At int64
	// Key of the order's row, where times are equal.
	Key int64
}

// Place is where the order stands among all, by the time it was placed.
func (r Record) Place() Place { return Place{r.CreatedAt.UnixMicro(), r.Key} }

// Behind reports whether it comes after another.
func (p Place) Behind(other Place) bool {
	return p.At > other.At || p.At == other.At && p.Key > other.Key
}
