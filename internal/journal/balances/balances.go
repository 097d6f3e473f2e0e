// Package balances is what the journal keeps of the distributor's balance: its history, and what moved it beside
// orders.
package balances

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"recarga/internal/journal/tables"
	"recarga/internal/sqlfile"
	"recarga/topup"
)

//go:embed sql
var sqlFiles embed.FS

var sqls = sqlfile.Load(sqlFiles, "sql")

// Book keeps it.
type Book struct{ db *tables.DB }

// In keeps it in a database.
func In(db *tables.DB) *Book { return &Book{db} }

const (
	// balancesKept is how long the history of the balance goes back.
	balancesKept = 90 * 24 * time.Hour
	// lateCharge is how long after an attempt became unknown the distributor may still charge it: it tries its
	// providers one after the other.
	lateCharge = 15 * time.Minute
	// anchorAge bounds what is read to explain a movement while orders never cease.
	anchorAge = 15 * time.Minute
)

// ClaimBalance gives one of those who ask at once the right to ask the distributor, once in every so long.
func (b *Book) ClaimBalance(ctx context.Context, every time.Duration, now time.Time) (bool, error) {
	n, err := b.write(ctx, func(t *tables.Tx) (int64, error) {
		return t.Exec(sqls.Get("claim_balance"), now.Add(every).UnixMicro(), now.UnixMicro())
	})
	return n > 0, err
}

func (b *Book) write(ctx context.Context, run func(*tables.Tx) (int64, error)) (int64, error) {
	n, err := tables.Write(ctx, b.db, tables.OperatorKey, run)
	if err != nil {
		return 0, fmt.Errorf("balance: %w", err)
	}
	return n, nil
}

// RecordBalance adds a reading to the history, which has one a minute for 90 days, and makes it what the
// balance is known to be, unless a lower or later one is known.
func (b *Book) RecordBalance(ctx context.Context, r topup.BalanceReading) error {
	minute := r.At.Unix() / 60
	_, err := b.write(ctx, func(t *tables.Tx) (int64, error) {
		if _, err := t.Exec(sqls.Get("keep_balance"), minute, r.At.UnixMicro(), int64(r.Amount),
			tables.Text(r.Currency)); err != nil {
			return 0, err
		}
		if minute%60 == 0 {
			if _, err := t.Exec(sqls.Get("forget_balances"), r.At.Add(-balancesKept).Unix()/60); err != nil {
				return 0, err
			}
			if _, err := t.Exec(sqls.Get("forget_changes"), r.At.Add(-balancesKept).UnixMicro()); err != nil {
				return 0, err
			}
		}
		return t.Exec(sqls.Get("see_balance"), int64(r.Amount), tables.Text(r.Currency), r.From.UnixMicro(),
			r.At.UnixMicro())
	})
	return err
}

// Balance is what is known of the distributor's balance.
func (b *Book) Balance(ctx context.Context) (s topup.BalanceStanding, err error) {
	var low int
	var at int64
	err = b.db.Read.QueryRowContext(ctx, sqls.Get("balance")).Scan(&s.Amount, &s.Currency, tables.Time(&s.From), &at,
		tables.Time(&s.AskAfter), &low, &s.Drift)
	if err != nil {
		return s, fmt.Errorf("balance: %w", err)
	}
	s.Low = low != 0
	if at > 0 {
		s.At = time.UnixMicro(at).UTC()
	}
	return s, nil
}

// BalancesSince is the history of the balance, the oldest first, one reading a minute.
func (b *Book) BalancesSince(ctx context.Context, since time.Time) ([]topup.BalanceReading, error) {
	return tables.List(ctx, b.db, func(row tables.Scanner) (r topup.BalanceReading, err error) {
		err = row.Scan(tables.Time(&r.At), &r.Amount, &r.Currency)
		r.From = r.At
		return r, err
	}, sqls.Get("balances"), since.Unix()/60)
}

// BalanceChangesSince are the deposits and drifts, the oldest first.
func (b *Book) BalanceChangesSince(ctx context.Context, since time.Time) ([]topup.BalanceChange, error) {
	return tables.List(ctx, b.db, func(row tables.Scanner) (c topup.BalanceChange, err error) {
		err = row.Scan(tables.Time(&c.At), &c.Kind, &c.Amount)
		return c, err
	}, sqls.Get("balance_changes"), since.UnixMicro())
}

// SetBalanceLow notes that a reading is below the limit, or no more, and reports whether that is news: of all who
// note it, one hears so. With notify, a fall makes an event for the operator in the same transaction.
func (b *Book) SetBalanceLow(
	ctx context.Context, r topup.BalanceReading, below topup.Amount, notify bool, now time.Time,
) (news bool, ev *topup.Event, err error) {
	low := 0
	if r.Amount < below {
		low = 1
	}
	n, err := b.write(ctx, func(t *tables.Tx) (int64, error) {
		ev = nil
		n, err := t.Exec(sqls.Get("balance_low"), low, r.At.UnixMicro(), r.From.UnixMicro())
		if err == nil && n > 0 && low == 1 && notify {
			ev, err = t.Notify(topup.EventBalanceLow, topup.LowBalance{Balance: r.Amount, Currency: r.Currency,
				Below: below, At: tables.Whole(r.At)}, tables.Whole(now))
		}
		return n, err
	})
	return n > 0, ev, err
}

// Movement is what a reading says beside an earlier one.
type Movement struct {
	// Deposit is what came in at least; 0: nothing that is certain.
	Deposit topup.Amount
	// Drift is what went at least without an order of ours; 0: nothing that is certain.
	Drift topup.Amount
	// Detail says more of a Drift.
	Detail topup.DriftedBalance
	// Event notifies the operator of a Drift; nil: nobody is notified.
	Event *topup.Event
}

// JudgeBalance compares a reading with an earlier one, and with what orders have taken in between. Purchases overlap
// readings, so both are bounds: a drift is a fall of more than all that can have been charged, a deposit a fall of
// less than what certainly was. slack is how old the distributor's word may be, and how far clocks may be apart. It
// counts each movement once, whoever else judges. One unit of the balance is taken for a peso.
func (b *Book) JudgeBalance(
	ctx context.Context, r topup.BalanceReading, slack time.Duration, notify bool, now time.Time,
) (m Movement, err error) {
	was, err := b.explained(ctx, r, slack)
	if err != nil {
		return m, fmt.Errorf("balance: %w", err)
	}
	fell := was.Amount - r.Amount
	if was.at > 0 && was.Currency == r.Currency {
		m.Drift, m.Deposit = max(fell-was.most, 0), max(was.least-fell, 0)
	}
	settled := was.at == 0 || was.Currency != r.Currency || was.most == was.least || m.Drift > 0 ||
		r.At.Sub(was.At) > anchorAge
	if !settled || r.At.UnixMicro() <= was.at {
		return Movement{}, b.db.Confirm(ctx) // nothing is sure yet, or it is no later one
	}
	m.Detail = topup.DriftedBalance{
		From: was.From, To: tables.Whole(r.At), BalanceBefore: was.Amount, BalanceAfter: r.Amount, Currency: r.Currency,
		Explained: was.most, Unexplained: m.Drift,
	}
	n, err := b.write(ctx, func(t *tables.Tx) (int64, error) { return m.write(t, was, r, notify, tables.Whole(now)) })
	if err != nil || n == 0 {
		return Movement{}, err
	}
	return m, nil
}

// write writes a movement, unless somebody else did.
func (m *Movement) write(
	t *tables.Tx, was anchor, r topup.BalanceReading, notify bool, now time.Time,
) (n int64, err error) {
	n, err = t.Exec(sqls.Get("set_anchor"), int64(r.Amount), tables.Text(r.Currency), r.From.UnixMicro(),
		r.At.UnixMicro(), int64(m.Drift), was.at)
	if err != nil || n == 0 {
		return n, err
	}
	for kind, amount := range map[topup.BalanceChangeKind]topup.Amount{topup.BalanceDeposit: m.Deposit,
		topup.BalanceDrift: m.Drift} {
		if amount == 0 {
			continue
		}
		if _, err := t.Exec(sqls.Get("change"), r.At.UnixMicro(), string(kind), int64(amount)); err != nil {
			return n, err
		}
	}
	if m.Drift > 0 && notify {
		m.Event, err = t.Notify(topup.EventBalanceDrift, m.Detail, now)
	}
	return n, err
}

// anchor is the reading that the movement of the balance is counted from, and what orders explain of it.
type anchor struct {
	topup.BalanceReading
	at          int64        // its time as it is stored; 0: there is none yet
	most, least topup.Amount // that orders have taken since
}

// explained is the anchor of a reading; the zero value where there is none yet.
func (b *Book) explained(ctx context.Context, r topup.BalanceReading, slack time.Duration) (anchor, error) {
	was, err := tables.One(ctx, b.db, func(row tables.Scanner) (was anchor, err error) {
		err = row.Scan(&was.Amount, &was.Currency, tables.Time(&was.From), &was.at, &was.most, &was.least)
		was.At = time.UnixMicro(was.at).UTC()
		return was, err
	}, sqls.Get("explained"), slack.Microseconds(), (slack + lateCharge).Microseconds(), r.From.Add(-slack).UnixMicro())
	if errors.Is(err, topup.ErrNotFound) {
		return anchor{}, nil
	}
	return was, err
}
