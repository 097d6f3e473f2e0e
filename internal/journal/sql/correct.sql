-- name: correct_succeeded
UPDATE orders
SET state = 'succeeded', updated_at = $2, disputed_at = NULL, unknown_attempts = 0,
    event_count = event_count + 1, reason = '',
    transaction_id = CASE WHEN $3 = '' THEN transaction_id ELSE $3 END,
    reference = CASE WHEN $4 = '' THEN reference ELSE $4 END,
    auth_code = CASE WHEN $5 = '' THEN auth_code ELSE $5 END
WHERE id = $1 AND state IN ('failed', 'canceled')
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: correct_failed
UPDATE orders
SET state = 'failed', updated_at = $2, disputed_at = NULL, unknown_attempts = 0, event_count = event_count + 1,
    reason = 'resolved', transaction_id = $3, reference = $4, auth_code = $5
WHERE id = $1 AND state IN ('succeeded')
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: correction
INSERT INTO corrections (order_key, number, outcome, reason, decided_by, transaction_id, reference, auth_code,
    was, was_transaction_id, decided_at)
VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM corrections
    WHERE order_key = $1), $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- Whether the last correction of an order is this very one.
-- name: corrected_so
SELECT COUNT(*) FROM corrections
WHERE order_key = $1 AND outcome = $2 AND reason = $3 AND decided_by = $4 AND transaction_id = $5
    AND reference = $6 AND auth_code = $7
    AND number = (SELECT MAX(number) FROM corrections WHERE order_key = $1)

-- name: dispute
UPDATE orders SET disputed_at = $2, updated_at = $2
WHERE id = $1 AND finished_at IS NOT NULL AND disputed_at IS NULL
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: new_dispute
INSERT INTO disputes (order_key, number, since, evidence, raised_by)
VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM disputes WHERE order_key = $1), $2, $3, $4)

-- name: more_dispute
UPDATE disputes SET evidence = evidence || '; ' || $2
WHERE order_key = $1 AND ended_at IS NULL AND length(evidence) < 4096

-- The disputes of an order that had this evidence.
-- name: said_before
SELECT COUNT(*) FROM disputes WHERE order_key = $1 AND replace(evidence, $2, '') <> evidence

-- name: end_dispute
UPDATE disputes SET ended_at = $2, outcome = $3, reason = $4, ended_by = $5
WHERE order_key = $1 AND ended_at IS NULL

-- name: uphold
UPDATE orders SET disputed_at = NULL, updated_at = $2
WHERE id = $1 AND disputed_at IS NOT NULL
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: upheld_so
SELECT COUNT(*) FROM disputes WHERE order_key = $1 AND outcome = $2 AND reason = $3 AND ended_by = $4
