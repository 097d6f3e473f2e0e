package journal

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"recarga/internal/clip"
	"recarga/internal/journal/commit"
	"recarga/topup"
)

// record is an order's row: the order, and what only the journal needs of it.
type record struct {
	topup.Order
	key         int64
	fingerprint []byte
	events      int
	// doubts are the attempts of an order that is not final whose outcome is unknown.
	doubts int
}

type scanner = commit.Scanner

// scanOrder reads the columns that every statement about an order returns, in their order.
func scanOrder(row scanner) (r record, err error) {
	r.Currency = topup.Currency
	var metadata, balance string
	var rank int
	var line sql.NullInt64
	err = row.Scan(&r.key, &r.fingerprint, &r.events, &r.doubts, &r.ID, &r.Caller, &r.State, &r.Reason, &r.Phone,
		&r.Product, &r.Amount,
		&r.Operator, &metadata, &r.CallbackURL, &r.AttemptCount, &r.ResponseCode, &r.ResponseMessage, &r.TransactionID,
		&r.Reference, &r.AuthCode,
		&balance, when{&r.CreatedAt}, when{&r.UpdatedAt}, maybe{&r.ProcessAt}, maybe{&r.ExpiresAt}, maybe{&r.NextAttemptAt},
		maybe{&r.FinishedAt},
		&rank, &line, &r.WaitsFor, maybe{&r.DisputedAt}, maybe{&r.EndsAt})
	if err != nil {
		return r, err
	}
	if r.State.Final() {
		r.EndsAt = nil
	}
	r.Priority, r.Released = topup.PriorityOfRank(rank), line.Valid && line.Int64 == released
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

// encodeMetadata is empty for none, as for most orders.
func encodeMetadata(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "", nil
	}
	encoded, err := json.Marshal(m)
	return string(encoded), err
}

// when reads a time from its column of microseconds.
type when struct{ t *time.Time }

func (w when) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", v)
	}
	*w.t = time.UnixMicro(n).UTC()
	return nil
}

// maybe reads a time that may be absent.
type maybe struct{ t **time.Time }

func (m maybe) Scan(v any) error {
	*m.t = nil
	if v == nil {
		return nil
	}
	var t time.Time
	*m.t = &t
	return when{&t}.Scan(v)
}

// whole cuts a time to what the journal keeps, so that an order reads back as it was returned.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func wholeOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	w := whole(*t)
	return &w
}

// micros is the column of a time that may be absent.
func micros(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMicro()
}

// maxText bounds a text that came from outside. The distributor's client bounds its own; an invalid
// order's error names whatever its producer wrote.
const maxText = 4 << 10

// text makes what came from outside storable: PostgreSQL takes neither a NUL nor broken UTF-8.
func text(s string) string {
	return clip.To(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD"), maxText)
}
