-- name: finished_so
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE id = $1 AND attempt_count >= $2 AND state <> 'submitting' AND response_code = $3 AND response_message = $4
    AND transaction_id = $5 AND reference = $6 AND auth_code = $7 AND balance_after = $8
    AND EXISTS (SELECT 1 FROM attempts WHERE order_key = orders.key AND number = $2 AND outcome = $9)
