-- What may have changed of the orders that somebody waits for.
-- name: versions
SELECT id, updated_at, state, attempt_count, waits_for FROM orders WHERE id = ANY($1)

-- name: present
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE id = ANY($1)
