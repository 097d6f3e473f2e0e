-- The order whose attempt under way was begun by one call of Begin.
-- name: own_attempt
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE id = $1 AND attempt_count = $2 AND state = 'submitting' AND EXISTS (SELECT 1 FROM attempts
    WHERE order_key = orders.key AND number = $2 AND worker = $3 AND nonce = $4)

-- It adds to what an attempt already says: a poorer result that comes later takes nothing away.
-- name: result
UPDATE attempts SET
    outcome = $4,
    finished_at = CASE WHEN finished_at IS NULL OR outcome <> $4 THEN $5 ELSE finished_at END,
    http_status = CASE WHEN $6 = 0 THEN http_status ELSE $6 END,
    response_code = CASE WHEN $7 = '' THEN response_code ELSE $7 END,
    response_message = CASE WHEN $8 = '' THEN response_message ELSE $8 END,
    error = CASE
        WHEN error = '' THEN $9
        WHEN $9 = '' OR replace(error, $9, '') <> error THEN error
        ELSE error || '; ' || $9 END,
    evidence = CASE
        WHEN evidence = '' THEN $10
        WHEN $10 = '' OR replace(evidence, $10, '') <> evidence THEN evidence
        ELSE evidence || '; ' || $10 END
WHERE order_key = (SELECT key FROM orders WHERE id = $1) AND number = $2 AND outcome = $3

-- It forgets no doubt: an order is not failed while one of its attempts is in doubt, but unknown.
-- $16 is what the result adds to the doubts. An order that is unknown and stays so has changed in nothing that its caller
-- must be notified of. One that a statement holds is settled by an approval alone: that its latest attempt moved no money
-- is what the statement denies.
-- An approval counts, of whichever attempt. Any other result is of the latest one, in the state before ($3).
-- name: finish
UPDATE orders SET
    state = CASE WHEN $4 = 'failed' AND unknown_attempts + $16 > 0 THEN 'unknown' ELSE $4 END,
    reason = CASE WHEN $4 = 'failed' AND unknown_attempts + $16 > 0 THEN '' ELSE $5 END,
    response_code = $6, response_message = $7, transaction_id = $8, reference = $9, auth_code = $10,
    balance_after = $11, updated_at = $12,
    finished_at = CASE
        WHEN $4 = 'failed' AND unknown_attempts + $16 > 0 THEN NULL
        ELSE CAST($13 AS BIGINT) END,
    next_attempt_at = $14,
    due_at = CASE WHEN ends_at < $14 THEN ends_at ELSE $14 END,
    event_count = event_count + $15, unknown_attempts = unknown_attempts + $16,
    line = NULL, waits_for = '', held_at = NULL
WHERE id = $1 AND (
    $4 = 'succeeded' AND attempt_count >= $2 AND state IN ('submitting', 'retrying', 'unknown')
    OR attempt_count = $2 AND state = $3 AND held_at IS NULL
    AND NOT ($3 = 'unknown' AND $4 = 'failed' AND unknown_attempts + $16 > 0))
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- The attempt that is under way when an earlier one turns out to be approved: its order has ended, so no deadline will
-- end the wait for its result. What its worker still learns is added.
-- name: overtaken
UPDATE attempts SET outcome = 'unknown', finished_at = $2, error = $3
WHERE order_key = $1 AND outcome = ''

-- For a result that changes no state. The doubts of a final order are a person's word.
-- name: doubt
UPDATE orders SET unknown_attempts = unknown_attempts + CASE WHEN finished_at IS NULL THEN $2 ELSE 0 END
WHERE id = $1
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- It ends an order that was held only for the doubt about an earlier attempt, which is gone.
-- name: cleared
UPDATE orders SET
    state = 'failed',
    reason = CASE
        WHEN (SELECT outcome FROM attempts WHERE order_key = orders.key AND number = orders.attempt_count)
            = 'declined' THEN 'declined'
        WHEN expires_at <= $2 THEN 'expired'
        ELSE 'retries_exhausted' END,
    updated_at = $2, finished_at = $2, event_count = event_count + 1
WHERE id = $1 AND state = 'unknown' AND unknown_attempts = 0 AND held_at IS NULL
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: other_approvals
SELECT COUNT(*) FROM attempts WHERE order_key = $1 AND number <> $2 AND outcome = 'approved'

-- An order whose state followed from the result of an attempt.
-- name: finished_so
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE id = $1 AND attempt_count >= $2 AND state <> 'submitting' AND response_code = $3 AND response_message = $4
    AND transaction_id = $5 AND reference = $6 AND auth_code = $7 AND balance_after = $8
    AND EXISTS (SELECT 1 FROM attempts WHERE order_key = orders.key AND number = $2 AND outcome = $9)
