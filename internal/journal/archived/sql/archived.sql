-- Nor does an order leave with an event that is younger: whoever reads the feed must have had the same time for it.
-- name: leaving
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE (created_at, key) > ($1, $2) AND created_at < $3 AND +finished_at < $3 AND disputed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM events
        WHERE order_key = orders.key AND (due_at IS NOT NULL OR events.created_at >= $3))
ORDER BY created_at, key LIMIT $4

-- name: count_leaving
SELECT COUNT(*) FROM orders
WHERE finished_at < $1 AND disputed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM events
        WHERE order_key = orders.key AND (due_at IS NOT NULL OR events.created_at >= $1))

-- name: new_member
INSERT INTO archive_members (file, place, orders, created_from, created_until)
VALUES ($1, $2, $3, $4, $5)
RETURNING number

-- name: new_archived
INSERT INTO archived (id, member) VALUES ($1, $2)

-- name: archived
SELECT m.number, m.file, m.place, m.orders FROM archived a JOIN archive_members m ON m.number = a.member
WHERE a.id = $1

-- name: members
SELECT number, file, place, orders FROM archive_members
WHERE number > $1 AND number <= $2 AND created_until >= $3 AND created_from <= $4
ORDER BY number LIMIT 500

-- name: newest_member
SELECT COALESCE(MAX(number), 0) FROM archive_members

-- name: count_archived
SELECT COUNT(*) FROM archived
