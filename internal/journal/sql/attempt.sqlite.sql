-- Nothing is sent once the order's time is over. That time is counted from the first attempt, and $5 is when it is over for
-- an order that has its first one now. Nothing begins either that a person has paused, whatever its worker knows of that.
-- name: begin
UPDATE orders SET
    state = 'submitting', attempt_count = attempt_count + 1, updated_at = $3, next_attempt_at = NULL, due_at = $4,
    line = NULL, waits_for = '',
    ends_at = CASE
        WHEN attempt_count > 0 THEN ends_at
        WHEN expires_at < $5 THEN expires_at
        ELSE COALESCE($5, expires_at) END
WHERE id = $1 AND attempt_count = $2 AND state IN ('queued', 'retrying')
    AND (ends_at IS NULL OR ends_at > $3) AND (expires_at IS NULL OR expires_at > $3) AND (due_at <= $3 OR NOT $8)
    AND held_back_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM controls c WHERE c.kind = 'purchases' OR c.kind = 'caller' AND c.name = orders.caller
            OR c.kind = 'product' AND c.name = orders.product
            OR c.kind = 'operator' AND c.name || '_' = substr(orders.product || '_', 1, length(c.name) + 1))
RETURNING key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at

-- name: attempt
INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at) VALUES ($1, $2, $3, $4, $5, $6)
