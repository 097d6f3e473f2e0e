-- It also takes a claim from a clock that is far ahead.
-- name: claim_balance
UPDATE balance_watch SET ask_after = $1 WHERE ask_after <= $2 OR ask_after > $1

-- name: keep_balance
INSERT INTO balances (minute, at, amount, currency)
VALUES ($1, $2, $3, $4)
ON CONFLICT (minute) DO UPDATE SET at = excluded.at, amount = excluded.amount,
    currency = CASE WHEN excluded.currency = '' THEN balances.currency ELSE excluded.currency END
WHERE excluded.at >= balances.at

-- name: forget_balances
DELETE FROM balances WHERE minute < $1

-- name: forget_changes
DELETE FROM balance_changes WHERE at < $1

-- Of readings that overlap in time, nobody knows which is the later one; the lower one counts.
-- name: see_balance
UPDATE balance_watch
SET amount = $1, currency = CASE WHEN $2 = '' THEN currency ELSE $2 END, seen_from = $3, seen_at = $4
WHERE seen_at <= $3 OR amount >= $1

-- name: balance
SELECT amount, currency, seen_from, seen_at, ask_after, low, drift FROM balance_watch

-- name: balances
SELECT at, amount, currency FROM balances WHERE minute >= $1 ORDER BY minute

-- name: balance_changes
SELECT at, kind, amount FROM balance_changes WHERE at >= $1 ORDER BY at

-- It takes only a reading that began after the last change: an older one says nothing of it.
-- name: balance_low
UPDATE balance_watch SET low = $1, low_at = $2 WHERE low <> $1 AND low_at <= $3

-- The reading that movements are counted from; the most that orders can have taken since (what succeeded, each attempt
-- in doubt, and what is under way); and what they have certainly taken between the two readings. It is one snapshot, made
-- after the latter reading: whatever was charged by then is in it, under way at least.
-- name: explained
SELECT w.anchor_amount, w.anchor_currency, w.anchor_from, w.anchor_at,
    CAST(COALESCE((SELECT SUM(amount) FROM orders
        WHERE finished_at >= w.anchor_from - $1 AND state = 'succeeded'), 0)
    + COALESCE((SELECT SUM(amount * unknown_attempts) FROM orders
        WHERE finished_at >= w.anchor_from - $2 AND unknown_attempts > 0), 0)
    + COALESCE((SELECT SUM(amount * (unknown_attempts + CASE WHEN state = 'submitting' THEN 1 ELSE 0 END)) FROM orders
        WHERE finished_at IS NULL AND state IN ('submitting', 'retrying', 'unknown')
            AND (state = 'submitting' OR unknown_attempts > 0 AND updated_at >= w.anchor_from - $2)), 0) AS BIGINT),
    CAST(COALESCE((SELECT SUM(o.amount) FROM orders o
        JOIN attempts a ON a.order_key = o.key AND a.number = o.attempt_count
        WHERE o.finished_at >= w.anchor_at + $1 AND o.finished_at <= $3 AND o.state = 'succeeded'
            AND a.started_at >= w.anchor_at + $1 AND a.outcome = 'approved'), 0) AS BIGINT)
FROM balance_watch w
WHERE w.anchor_at > 0

-- name: set_anchor
UPDATE balance_watch
SET anchor_amount = $1, anchor_currency = $2, anchor_from = $3, anchor_at = $4, drift = drift + $5
WHERE anchor_at = $6

-- name: change
INSERT INTO balance_changes (at, kind, amount) VALUES ($1, $2, $3) ON CONFLICT (at, kind) DO NOTHING
