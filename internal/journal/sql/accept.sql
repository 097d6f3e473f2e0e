-- It also takes an order whose id lacks its caller's prefix: that is why it is invalid.
-- name: insert_invalid
INSERT INTO orders (id, caller, fingerprint, state, reason, phone, product, amount, operator, metadata,
    callback_url, response_message, event_count, created_at, updated_at, process_at, expires_at,
    next_attempt_at, finished_at, due_at, priority, line, waits_for, ends_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
    $23, $24
WHERE NOT EXISTS (SELECT 1 FROM archived WHERE id = $1)
    AND NOT EXISTS (
        SELECT 1 FROM (SELECT name, id_prefix FROM callers WHERE id_prefix <> '' AND id_prefix <= $1
            ORDER BY id_prefix DESC LIMIT 1) AS nearest
        WHERE nearest.name <> $2 AND substr($1, 1, length(nearest.id_prefix)) = nearest.id_prefix)
ON CONFLICT (id) DO NOTHING
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: is_archived
SELECT COUNT(*) FROM archived WHERE id = $1

-- name: prefix_of
SELECT id_prefix FROM callers WHERE name = $1
