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

-- name: balance_low
UPDATE balance_watch SET low = $1, low_at = $2 WHERE low <> $1 AND low_at <= $3

-- name: anchor
SELECT anchor_amount, anchor_currency, anchor_from, anchor_at FROM balance_watch

-- name: most_succeeded
SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM orders WHERE finished_at >= $1 AND state = 'succeeded'

-- name: most_doubted
SELECT CAST(COALESCE(SUM(amount * unknown_attempts), 0) AS BIGINT) FROM orders
WHERE finished_at >= $1 AND unknown_attempts > 0

-- name: most_open
SELECT CAST(COALESCE(SUM(amount * (unknown_attempts + CASE WHEN state = 'submitting' THEN 1
    ELSE 0 END)), 0) AS BIGINT)
FROM orders
WHERE finished_at IS NULL AND state IN ('submitting', 'retrying', 'unknown')
    AND (state = 'submitting' OR unknown_attempts > 0 AND updated_at >= $1)

-- name: least
SELECT CAST(COALESCE(SUM(o.amount), 0) AS BIGINT) FROM orders o
JOIN attempts a ON a.order_key = o.key AND a.number = o.attempt_count
WHERE o.finished_at >= $1 AND o.finished_at <= $2 AND o.state = 'succeeded' AND a.started_at >= $1
    AND a.outcome = 'approved'

-- name: set_anchor
UPDATE balance_watch
SET anchor_amount = $1, anchor_currency = $2, anchor_from = $3, anchor_at = $4, drift = drift + $5
WHERE anchor_at = $6

-- name: change
INSERT INTO balance_changes (at, kind, amount) VALUES ($1, $2, $3) ON CONFLICT (at, kind) DO NOTHING
