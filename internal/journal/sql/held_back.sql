-- Nobody begins an order that is held back, nor releases it from the wait queue, until an operator lets it go. It ends
-- in time all the same.
-- name: hold_back
UPDATE orders
SET updated_at = $2, held_back_at = $2, line = NULL, waits_for = 'operator', due_at = ends_at
WHERE id = $1 AND state IN ('queued', 'retrying') AND held_back_at IS NULL
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- It is due when it would have been.
-- name: let_go
UPDATE orders
SET updated_at = $2, held_back_at = NULL, waits_for = '',
    due_at = CASE
        WHEN ends_at < COALESCE(next_attempt_at, process_at, $2) THEN ends_at
        ELSE COALESCE(next_attempt_at, process_at, $2) END
WHERE id = $1 AND state IN ('queued', 'retrying') AND held_back_at IS NOT NULL
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
