-- name: defer
UPDATE orders SET line = priority, waits_for = $3, due_at = CASE WHEN ends_at < $4 THEN ends_at ELSE $4 END
WHERE id = $1 AND attempt_count = $2 AND state IN ('queued', 'retrying') AND held_back_at IS NULL
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: release
UPDATE orders SET line = -1, waits_for = '', due_at = CASE WHEN ends_at < $2 THEN ends_at ELSE $2 END
WHERE id = $1 AND line >= 0
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: released
SELECT COUNT(*) FROM orders WHERE line = -1

-- name: count_waiting
SELECT line, COUNT(*) FROM orders WHERE line >= 0 GROUP BY line
