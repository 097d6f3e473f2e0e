-- An order that is charged, and never sent by us. Its content is not known: it has no fingerprint until it is claimed.
-- It belongs to the caller whose prefix its id begins with, and else to nobody yet.
-- name: restore
INSERT INTO orders (id, caller, fingerprint, state, phone, product, amount, operator, metadata, callback_url,
    attempt_count, transaction_id, reference, auth_code, created_at, updated_at, finished_at, priority, event_count)
SELECT $1, COALESCE((SELECT name FROM callers
        WHERE id_prefix <> '' AND id_prefix <= $1 AND substr($1, 1, length(id_prefix)) = id_prefix
        ORDER BY id_prefix DESC LIMIT 1), ''),
    $2, 'succeeded', $3, '', $4, '', '', '', 1, $5, $6, $7, $8, $9, $10, $11, $12
WHERE NOT EXISTS (SELECT 1 FROM archived WHERE id = $1)
ON CONFLICT (id) DO NOTHING
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- The attempt that charged it. The book that recorded its answer is lost, so it is in doubt but for the statement.
-- name: restored_attempt
INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at, finished_at, outcome, error, evidence)
VALUES ($1, 1, 'restore', 0, $2, $3, $3, 'unknown', $4, $5)

-- Whoever places the order first completes it.
-- name: claim
UPDATE orders SET caller = $2, fingerprint = $3, product = $4, operator = $5, metadata = $6, callback_url = $7,
    process_at = $8, expires_at = $9, priority = $10, updated_at = $11, event_count = event_count + 1
WHERE id = $1 AND length(fingerprint) = 0 AND caller IN ('', $2) AND phone = $12 AND amount = $13
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- Nobody tries the event of a claim at once: it is due.
-- name: claim_due
UPDATE events SET due_at = $3 WHERE order_key = $1 AND sequence = $2
