-- name: controls
SELECT kind, name, value, since, by_whom, reason FROM controls ORDER BY since, kind, name

-- What is set so already keeps who did it first.
-- name: set
INSERT INTO controls (kind, name, value, since, by_whom, reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value, since = excluded.since, by_whom = excluded.by_whom,
    reason = excluded.reason
WHERE controls.value <> excluded.value

-- name: unset
DELETE FROM controls WHERE kind = $1 AND name = $2

-- name: paused_orders
SELECT caller, product, COUNT(*), COALESCE(MIN(ends_at), 0) FROM orders
WHERE line >= 0 AND waits_for = 'paused'
GROUP BY caller, product ORDER BY caller, product
