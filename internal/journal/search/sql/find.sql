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
