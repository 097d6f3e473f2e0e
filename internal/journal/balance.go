package journal

import (
	"context"
	"fmt"
	"time"

	"recarga/topup"
)

const (
	// balancesKept is how long the history of the balance goes back.
	balancesKept = 90 * 24 * time.Hour
	// lateCharge is how long after an attempt became unknown the distributor may still charge it: it tries its
	// providers one after the other.
	lateCharge = 15 * time.Minute
	// anchorAge bounds what is read to explain a movement while orders never cease.
	anchorAge = 15 * time.Minute
)

// sqlClaimBalance also takes a claim from a clock that is far ahead.
var sqlClaimBalance = sqls.Get("claim_balance")

// ClaimBalance gives one of those who ask at once the right to ask the distributor, once in every so long.
func (j *Journal) ClaimBalance(ctx context.Context, every time.Duration, now time.Time) (bool, error) {
	n, err := j.balanceWrite(ctx, func(t *tx) (int64, error) {
		return t.Exec(sqlClaimBalance, now.Add(every).UnixMicro(), now.UnixMicro())
	})
	return n > 0, err
}

func (j *Journal) balanceWrite(ctx context.Context, run func(*tx) (int64, error)) (int64, error) {
	n, err := write(ctx, j, operatorKey, run)
	if err != nil {
		return 0, fmt.Errorf("balance: %w", err)
	}
	return n, nil
}

var (
	sqlKeepBalance    = sqls.Get("keep_balance")
	sqlForgetBalances = sqls.Get("forget_balances")
	sqlForgetChanges  = sqls.Get("forget_changes")
	// sqlSeeBalance: of readings that overlap in time, nobody knows which is the later one; the lower one counts.
	sqlSeeBalance = sqls.Get("see_balance")
)

// RecordBalance adds a reading to the history, which has one a minute for 90 days, and makes it what the
// balance is known to be, unless a lower or later one is known.
func (j *Journal) RecordBalance(ctx context.Context, r topup.BalanceReading) error {
	minute := r.At.Unix() / 60
	_, err := j.balanceWrite(ctx, func(t *tx) (int64, error) {
		if _, err := t.Exec(sqlKeepBalance, minute, r.At.UnixMicro(), int64(r.Amount), text(r.Currency)); err != nil {
			return 0, err
		}
		if minute%60 == 0 {
			if _, err := t.Exec(sqlForgetBalances, r.At.Add(-balancesKept).Unix()/60); err != nil {
				return 0, err
			}
			if _, err := t.Exec(sqlForgetChanges, r.At.Add(-balancesKept).UnixMicro()); err != nil {
				return 0, err
			}
		}
		return t.Exec(sqlSeeBalance, int64(r.Amount), text(r.Currency), r.From.UnixMicro(), r.At.UnixMicro())
	})
	return err
}

var sqlBalance = sqls.Get("balance")

// Balance is what is known of the distributor's balance.
func (j *Journal) Balance(ctx context.Context) (s topup.BalanceStanding, err error) {
	var low int
	var at int64
	err = j.engine.Read.QueryRowContext(ctx, sqlBalance).Scan(&s.Amount, &s.Currency, when{&s.From}, &at,
		when{&s.AskAfter}, &low, &s.Drift)
	if err != nil {
		return s, fmt.Errorf("balance: %w", err)
	}
	s.Low = low != 0
	if at > 0 {
		s.At = time.UnixMicro(at).UTC()
	}
	return s, nil
}

var (
	sqlBalances       = sqls.Get("balances")
	sqlBalanceChanges = sqls.Get("balance_changes")
)

// BalancesSince is the history of the balance, the oldest first, one reading a minute.
func (j *Journal) BalancesSince(ctx context.Context, since time.Time) ([]topup.BalanceReading, error) {
	return list(ctx, j, func(row scanner) (r topup.BalanceReading, err error) {
		err = row.Scan(when{&r.At}, &r.Amount, &r.Currency)
		r.From = r.At
		return r, err
	}, sqlBalances, since.Unix()/60)
}

// BalanceChangesSince are the deposits and drifts, the oldest first.
func (j *Journal) BalanceChangesSince(ctx context.Context, since time.Time) ([]topup.BalanceChange, error) {
	return list(ctx, j, func(row scanner) (c topup.BalanceChange, err error) {
		err = row.Scan(when{&c.At}, &c.Kind, &c.Amount)
		return c, err
	}, sqlBalanceChanges, since.UnixMicro())
}

// sqlBalanceLow takes only a reading that began after the last change: an older one says nothing of it.
var sqlBalanceLow = sqls.Get("balance_low")

// SetBalanceLow notes that a reading is below the limit, or no more, and reports whether that is news: of all who
// note it, one hears so. With notify, a fall makes an event for the operator in the same transaction.
func (j *Journal) SetBalanceLow(
	ctx context.Context, r topup.BalanceReading, below topup.Amount, notify bool, now time.Time,
) (news bool, ev *topup.Event, err error) {
	low := 0
	if r.Amount < below {
		low = 1
	}
	n, err := j.balanceWrite(ctx, func(t *tx) (int64, error) {
		ev = nil
		n, err := t.Exec(sqlBalanceLow, low, r.At.UnixMicro(), r.From.UnixMicro())
		if err == nil && n > 0 && low == 1 && notify {
			ev, err = t.notify(topup.EventBalanceLow, topup.LowBalance{Balance: r.Amount, Currency: r.Currency, Below: below,
				At: whole(r.At)}, whole(now))
		}
		return n, err
	})
	return n > 0, ev, err
}

// anchor is the reading that the movement of the balance is counted from.
type anchor struct {
	topup.BalanceReading
	at int64 // its time as it is stored; 0: there is none yet
}

var (
	sqlAnchor = sqls.Get("anchor")
	// sqlMost is the most that orders can have taken since a time: what succeeded, each attempt in doubt, and what
	// is under way.
	sqlMostSucceeded = sqls.Get("most_succeeded")
	sqlMostDoubted   = sqls.Get("most_doubted")
	sqlMostOpen      = sqls.Get("most_open")
	// sqlLeast is what orders have certainly taken between two times.
	sqlLeast     = sqls.Get("least")
	sqlSetAnchor = sqls.Get("set_anchor")
	sqlChange    = sqls.Get("change")
)

// BalanceMovement is what a reading says beside an earlier one.
type BalanceMovement struct {
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
func (j *Journal) JudgeBalance(
	ctx context.Context, r topup.BalanceReading, slack time.Duration, notify bool, now time.Time,
) (m BalanceMovement, err error) {
	was, most, least, err := j.explain(ctx, r, slack)
	if err != nil {
		return m, fmt.Errorf("balance: %w", err)
	}
	fell := was.Amount - r.Amount
	if was.at > 0 && was.Currency == r.Currency {
		m.Drift, m.Deposit = max(fell-most, 0), max(least-fell, 0)
	}
	settled := was.at == 0 || was.Currency != r.Currency || most == least || m.Drift > 0 || r.At.Sub(was.At) > anchorAge
	if !settled || r.At.UnixMicro() <= was.at {
		return BalanceMovement{}, j.confirm(ctx) // nothing is sure yet, or it is no later one
	}
	m.Detail = topup.DriftedBalance{
		From: was.From, To: whole(r.At), BalanceBefore: was.Amount, BalanceAfter: r.Amount, Currency: r.Currency,
		Explained: most, Unexplained: m.Drift,
	}
	n, err := j.balanceWrite(ctx, func(t *tx) (int64, error) { return t.move(was, r, &m, notify, whole(now)) })
	if err != nil || n == 0 {
		return BalanceMovement{}, err
	}
	return m, nil
}

// move writes a movement, unless somebody else did.
func (t *tx) move(
	was anchor, r topup.BalanceReading, m *BalanceMovement, notify bool, now time.Time,
) (n int64, err error) {
	n, err = t.Exec(sqlSetAnchor, int64(r.Amount), text(r.Currency), r.From.UnixMicro(), r.At.UnixMicro(),
		int64(m.Drift), was.at)
	if err != nil || n == 0 {
		return n, err
	}
	for kind, amount := range map[topup.BalanceChangeKind]topup.Amount{topup.BalanceDeposit: m.Deposit,
		topup.BalanceDrift: m.Drift} {
		if amount == 0 {
			continue
		}
		if _, err := t.Exec(sqlChange, r.At.UnixMicro(), string(kind), int64(amount)); err != nil {
			return n, err
		}
	}
	if m.Drift > 0 && notify {
		m.Event, err = t.notify(topup.EventBalanceDrift, m.Detail, now)
	}
	return n, err
}

// explain is what can have moved the balance between the anchor and a reading. It is one snapshot, made after the
// reading: whatever was charged by then is in it, under way at least.
func (j *Journal) explain(
	ctx context.Context, r topup.BalanceReading, slack time.Duration,
) (was anchor, most, least topup.Amount, err error) {
	t, err := j.engine.Read.BeginTx(ctx, j.engine.ReadTx)
	if err != nil {
		return was, 0, 0, err
	}
	defer func() { _ = t.Rollback() }() // it only read
	err = t.QueryRowContext(ctx, sqlAnchor).Scan(&was.Amount, &was.Currency, when{&was.From}, &was.at)
	if err != nil || was.at == 0 {
		return was, 0, 0, err
	}
	was.At = time.UnixMicro(was.at).UTC()
	since := was.From.Add(-slack)
	late := since.Add(-lateCharge).UnixMicro()
	var parts [4]topup.Amount
	for i, sum := range []struct {
		query string
		args  []any // bounds of the time
	}{
		{sqlMostSucceeded, []any{since.UnixMicro()}}, {sqlMostDoubted, []any{late}}, {sqlMostOpen, []any{late}},
		{sqlLeast, []any{was.At.Add(slack).UnixMicro(), r.From.Add(-slack).UnixMicro()}},
	} {
		if err := t.QueryRowContext(ctx, sum.query, sum.args...).Scan(&parts[i]); err != nil {
			return was, 0, 0, err
		}
	}
	return was, parts[0] + parts[1] + parts[2], parts[3], nil
}
