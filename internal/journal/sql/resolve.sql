-- name: resolve_succeeded
UPDATE orders
SET state = 'succeeded', updated_at = $2, held_at = NULL, finished_at = $2, due_at = NULL,
    event_count = event_count + 1, unknown_attempts = 0,
    transaction_id = CASE WHEN $3 = '' THEN transaction_id ELSE $3 END,
    reference = CASE WHEN $4 = '' THEN reference ELSE $4 END,
    auth_code = CASE WHEN $5 = '' THEN auth_code ELSE $5 END
WHERE id = $1 AND state IN ('unknown')
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: resolve_failed
UPDATE orders
SET state = 'failed', updated_at = $2, held_at = NULL, finished_at = $2, due_at = NULL,
    event_count = event_count + 1, unknown_attempts = 0, reason = 'resolved', transaction_id = $3,
    reference = $4, auth_code = $5
WHERE id = $1 AND state IN ('unknown')
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: resolve_resend
UPDATE orders
SET state = 'retrying', updated_at = $2, held_at = NULL, held_back_at = NULL, next_attempt_at = $2, due_at = $2,
    transaction_id = $3,
    reference = $4, auth_code = $5,
    ends_at = CASE WHEN expires_at < $6 THEN expires_at ELSE COALESCE($6, expires_at) END
WHERE id = $1 AND state IN ('unknown')
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: resolution
INSERT INTO resolutions (order_key, outcome, reason, decided_by, forced, transaction_id, reference, auth_code,
    attempt, decided_at, number)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, (SELECT COALESCE(MAX(number), 0) + 1 FROM resolutions
    WHERE order_key = $1))

-- name: resolved_so
SELECT COUNT(*) FROM resolutions
WHERE order_key = $1 AND outcome = $2 AND reason = $3 AND decided_by = $4 AND forced = $5
    AND transaction_id = $6 AND reference = $7 AND auth_code = $8
    AND number = (SELECT MAX(number) FROM resolutions WHERE order_key = $1)

-- The deadline after which no attempt of the order can still be under way.
-- name: settled_by
SELECT COALESCE(MAX(give_up_at), 0) FROM attempts WHERE order_key = $1
