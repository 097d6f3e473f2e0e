-- name: find_prefix
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE id >= $1 AND id < $2
ORDER BY id LIMIT $3

-- Of the newest orders: no index leads to a part.
-- name: find_part
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE key IN (
    SELECT newest.key FROM (SELECT key, id FROM orders ORDER BY created_at DESC, key DESC LIMIT $3) AS newest
    WHERE replace(newest.id, $1, '') <> newest.id)
ORDER BY created_at DESC, key DESC LIMIT $2

-- Each part is looked up by the index of its name, and has no more than the whole may have.
-- name: find
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE key IN (
    SELECT key FROM orders WHERE id = $1
    UNION ALL
    SELECT key FROM (SELECT key FROM orders
        WHERE transaction_id = $1 AND transaction_id <> '' AND ($3 = '' OR caller = $3)
        ORDER BY key DESC LIMIT 50) transactions
    UNION ALL
    SELECT key FROM (SELECT key FROM orders
        WHERE reference = $1 AND reference <> '' AND ($3 = '' OR caller = $3)
        ORDER BY key DESC LIMIT 50) named
    UNION ALL
    SELECT key FROM (SELECT key FROM orders
        WHERE phone = $2 AND ($3 = '' OR caller || '' = $3)
        ORDER BY created_at DESC, key DESC LIMIT 50) phones)
AND ($3 = '' OR caller || '' = $3)
ORDER BY created_at DESC, key DESC LIMIT 50
