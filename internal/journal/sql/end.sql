-- An order in doubt is held when its time is over.
-- name: end
UPDATE orders
SET updated_at = $2, next_attempt_at = NULL, due_at = NULL, line = NULL, waits_for = '', held_back_at = NULL,
    event_count = event_count + 1, state = CASE WHEN unknown_attempts > 0 THEN 'unknown' ELSE 'failed' END,
    reason = CASE WHEN unknown_attempts > 0 THEN '' WHEN expires_at <= $2 OR attempt_count = 0 THEN 'expired'
    ELSE 'retries_exhausted' END,
    finished_at = CASE WHEN unknown_attempts > 0 THEN NULL ELSE CAST($2 AS BIGINT) END
WHERE id = $1 AND state IN ('queued', 'retrying') AND ends_at <= $2
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: cancel
UPDATE orders
SET updated_at = $2, next_attempt_at = NULL, due_at = NULL, line = NULL, waits_for = '', held_back_at = NULL,
    event_count = event_count + 1, state = 'canceled', reason = '', finished_at = $2
WHERE id = $1 AND state IN ('queued', 'retrying') AND unknown_attempts = 0 AND ($3 = '' OR caller = $3)
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- held_at is not NULL as long as an order is unknown because a statement charges it, whatever its attempts said.
-- name: hold
UPDATE orders
SET updated_at = $2, next_attempt_at = NULL, due_at = NULL, line = NULL, waits_for = '', held_back_at = NULL,
    event_count = event_count + 1, state = 'unknown', held_at = $2
WHERE id = $1 AND state IN ('queued', 'retrying')
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
