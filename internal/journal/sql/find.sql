-- name: find_transaction
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE transaction_id = $1 AND transaction_id <> ''
ORDER BY key DESC LIMIT 50

-- name: find_reference
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE reference = $1 AND reference <> ''
ORDER BY key DESC LIMIT 50

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
