-- Nothing is sent once the order's time is over. That time is counted from the first attempt, and $5 is when it is over for
-- an order that has its first one now. Nothing begins either that a person has paused, whatever its worker knows of that.
-- name: begin
WITH begun AS (
    UPDATE orders SET
        state = 'submitting', attempt_count = attempt_count + 1, updated_at = given.at, next_attempt_at = NULL,
        due_at = given.deadline, line = NULL, waits_for = '',
        ends_at = CASE
            WHEN attempt_count > 0 THEN ends_at
            WHEN expires_at < given.tried_until THEN expires_at
            ELSE COALESCE(given.tried_until, expires_at) END
    FROM (
        SELECT
            unnest($1::text[]) AS id, unnest($2::bigint[]) AS attempts, unnest($3::bigint[]) AS at,
            unnest($4::bigint[]) AS deadline, unnest($5::bigint[]) AS tried_until, unnest($6::text[]) AS worker,
            unnest($7::bigint[]) AS nonce, unnest($8::boolean[]) AS if_due
    ) AS given
    WHERE orders.id = given.id AND attempt_count = given.attempts AND state IN ('queued', 'retrying')
        AND (ends_at IS NULL OR ends_at > given.at) AND (expires_at IS NULL OR expires_at > given.at)
        AND (due_at <= given.at OR NOT given.if_due)
        AND orders.held_back_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM controls c WHERE c.kind = 'purchases' OR c.kind = 'caller' AND c.name = orders.caller
                OR c.kind = 'product' AND c.name = orders.product
                OR c.kind = 'operator' AND c.name || '_' = substr(orders.product || '_', 1, length(c.name) + 1))
    RETURNING orders.*, given.worker, given.nonce
),
attempt AS (
    INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at)
    SELECT key, attempt_count, worker, nonce, updated_at, due_at FROM begun
)
SELECT id, key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM begun

-- name: settle
WITH settled AS (
    UPDATE orders SET
        state = CASE
            WHEN given.state = 'failed' AND orders.unknown_attempts + given.doubts > 0 THEN 'unknown'
            ELSE given.state END,
        reason = CASE
            WHEN given.state = 'failed' AND orders.unknown_attempts + given.doubts > 0 THEN ''
            ELSE given.reason END,
        response_code = given.response_code, response_message = given.response_message,
        transaction_id = given.transaction_id, reference = given.reference, auth_code = given.auth_code,
        balance_after = given.balance_after, updated_at = given.updated_at,
        finished_at = CASE
            WHEN given.state = 'failed' AND orders.unknown_attempts + given.doubts > 0 THEN NULL
            ELSE CAST(given.finished_at AS BIGINT) END,
        next_attempt_at = given.next_attempt_at,
        due_at = CASE WHEN orders.ends_at < given.next_attempt_at THEN orders.ends_at ELSE given.next_attempt_at END,
        event_count = orders.event_count + given.events, unknown_attempts = orders.unknown_attempts + given.doubts,
        line = NULL, waits_for = '', held_at = NULL
    FROM (
        SELECT
            unnest($1::text[]) AS id, unnest($2::bigint[]) AS number, unnest($3::text[]) AS state_before,
            unnest($4::text[]) AS state, unnest($5::text[]) AS reason, unnest($6::text[]) AS response_code,
            unnest($7::text[]) AS response_message, unnest($8::text[]) AS transaction_id,
            unnest($9::text[]) AS reference, unnest($10::text[]) AS auth_code, unnest($11::text[]) AS balance_after,
            unnest($12::bigint[]) AS updated_at, unnest($13::bigint[]) AS finished_at,
            unnest($14::bigint[]) AS next_attempt_at, unnest($15::bigint[]) AS events,
            unnest($16::bigint[]) AS doubts, unnest($17::text[]) AS outcome, unnest($18::bigint[]) AS http_status,
            unnest($19::text[]) AS error, unnest($20::text[]) AS evidence
    ) AS given, attempts
    WHERE orders.id = given.id AND orders.attempt_count = given.number AND orders.state = given.state_before
        AND attempts.order_key = orders.key AND attempts.number = given.number AND attempts.outcome = ''
    RETURNING orders.*, given.outcome, given.http_status, given.error, given.evidence
),
result AS (
    UPDATE attempts SET
        outcome = settled.outcome, finished_at = settled.updated_at, http_status = settled.http_status,
        response_code = settled.response_code, response_message = settled.response_message,
        error = settled.error, evidence = settled.evidence
    FROM settled WHERE order_key = settled.key AND number = settled.attempt_count
)
SELECT id, key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM settled
