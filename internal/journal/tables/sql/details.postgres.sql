-- name: attempts
SELECT order_key, number, started_at, finished_at, outcome, http_status, response_code, response_message, error,
    evidence, worker
FROM attempts
WHERE order_key = ANY($1)
ORDER BY order_key, number

-- name: resolutions
SELECT order_key, attempt, outcome, reason, decided_by, forced, transaction_id, reference, auth_code, decided_at
FROM resolutions
WHERE order_key = ANY($1)
ORDER BY order_key, number

-- name: corrections
SELECT order_key, outcome, reason, decided_by, was, was_transaction_id, transaction_id, reference, auth_code,
    decided_at
FROM corrections
WHERE order_key = ANY($1)
ORDER BY order_key, number

-- name: disputes
SELECT order_key, since, evidence, raised_by, ended_at, outcome, reason, ended_by FROM disputes
WHERE order_key = ANY($1)
ORDER BY order_key, number

-- name: events
SELECT e.order_key, e.id, e.type, e.sequence, e.endpoint, e.state, e.body, e.created_at, e.due_at,
    e.delivered_at, e.try_count, e.schedule_start, e.tries, COALESCE(o.id, ''), COALESCE(o.caller, 'operator'),
    COALESCE(o.callback_url, '')
FROM events e
LEFT JOIN orders o ON o.key = e.order_key
WHERE e.order_key = ANY($1)
ORDER BY e.order_key, e.sequence, e.endpoint
