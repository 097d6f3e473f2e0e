-- Of each bar of a chart, counted from $1 on, the orders that ended in it.
-- name: ended
SELECT (at - $1) / $3, state, CAST(SUM(orders) AS BIGINT) FROM ended
WHERE span = $4 AND at >= $1 AND at < $2
GROUP BY 1, 2

-- Of each bar of a chart the orders that are unknown now, by when they were placed.
-- name: unknown_bars
SELECT (created_at - $1) / $3, COUNT(*) FROM orders
WHERE state = 'unknown' AND finished_at IS NULL AND created_at >= $1 AND created_at < $2
GROUP BY 1

-- name: latencies
SELECT finished_at - CASE WHEN process_at > created_at THEN process_at ELSE created_at END FROM orders
WHERE finished_at >= $1
ORDER BY finished_at DESC LIMIT 1000

-- name: purchase_times
SELECT finished_at - started_at FROM attempts
WHERE finished_at IS NOT NULL AND order_key IN (
    SELECT key FROM orders WHERE finished_at >= $1 ORDER BY finished_at DESC LIMIT 1000)

-- The ids of events begin with the time at which each was made.
-- name: newest_tries
SELECT tries FROM events WHERE id >= $1 ORDER BY id DESC LIMIT 1000

-- An order that is scheduled waits from then on. Each half reads an index until it has found one.
-- name: oldest_waiting
SELECT COALESCE((SELECT created_at FROM orders
        WHERE finished_at IS NULL AND state = 'queued' AND process_at IS NULL
        ORDER BY created_at LIMIT 1), 0),
    COALESCE((SELECT created_at FROM orders
        WHERE finished_at IS NULL AND state = 'retrying' AND process_at IS NULL
        ORDER BY created_at LIMIT 1), 0),
    COALESCE((SELECT process_at FROM orders
        WHERE finished_at IS NULL AND process_at <= $1 AND (state = 'queued' OR state = 'retrying')
        ORDER BY process_at LIMIT 1), 0)

-- name: waiting_products
SELECT line, product, COUNT(*) FROM orders WHERE line >= 0 GROUP BY line, product

-- name: unknown_ages
SELECT CASE WHEN created_at > $1 THEN 0 WHEN created_at > $2 THEN 1 WHEN created_at > $3 THEN 2 ELSE 3 END,
    COUNT(*)
FROM orders
WHERE state = 'unknown' AND finished_at IS NULL
GROUP BY 1

-- name: exhausted
SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE state = 'exhausted' LIMIT 1000) exhausted
