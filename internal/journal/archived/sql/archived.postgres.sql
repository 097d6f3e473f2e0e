-- name: chosen_orders
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE key = ANY($1)
ORDER BY created_at, key

-- name: kept_attempts
SELECT order_key, worker, give_up_at FROM attempts WHERE order_key = ANY($1) ORDER BY order_key, number

-- name: delete_events
DELETE FROM events WHERE order_key = ANY($1)

-- name: delete_attempts
DELETE FROM attempts WHERE order_key = ANY($1)

-- name: delete_resolutions
DELETE FROM resolutions WHERE order_key = ANY($1)

-- name: delete_corrections
DELETE FROM corrections WHERE order_key = ANY($1)

-- name: delete_disputes
DELETE FROM disputes WHERE order_key = ANY($1)

-- name: delete_orders
DELETE FROM orders WHERE key = ANY($1)

-- name: taken
SELECT id FROM archived WHERE id = ANY($1) AND member = $2

-- name: members_of
SELECT number, file, place, orders FROM archive_members
WHERE number IN (SELECT member FROM archived WHERE id = ANY($1))

-- name: lock_archive
SELECT pg_try_advisory_lock($1)

-- name: unlock_archive
SELECT pg_advisory_unlock($1)
