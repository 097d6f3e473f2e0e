-- name: minutes
SELECT (created_at - $1) / 60000000, state, COUNT(*) FROM orders
WHERE created_at >= $1 AND created_at < $2
GROUP BY 1, 2

-- name: latencies
SELECT finished_at - created_at
FROM (SELECT finished_at, created_at FROM orders WHERE created_at >= $1 AND created_at < $2
    ORDER BY created_at DESC LIMIT 1000) newest
WHERE finished_at IS NOT NULL

-- name: oldest_waiting
SELECT COALESCE(MIN(created_at), 0) FROM orders
WHERE finished_at IS NULL AND state IN ('queued', 'retrying') AND (due_at IS NULL OR due_at <= $1)

-- name: unknown_ages
SELECT CASE WHEN created_at > $1 THEN 0 WHEN created_at > $2 THEN 1 WHEN created_at > $3 THEN 2 ELSE 3 END,
    COUNT(*)
FROM orders
WHERE state = 'unknown' AND finished_at IS NULL
GROUP BY 1

-- name: exhausted
SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE state = 'exhausted' LIMIT 1000) exhausted
