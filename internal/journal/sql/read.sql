-- name: attempts_of
SELECT number, started_at, finished_at, outcome, http_status, response_code, response_message, error, evidence,
    worker
FROM attempts
WHERE order_key = $1
ORDER BY number

-- name: due
SELECT id, state, attempt_count, due_at FROM orders
WHERE due_at <= $1 AND (due_at, id) > ($2, $3)
ORDER BY due_at, id LIMIT $4

-- name: overdue
SELECT id, state, attempt_count, due_at FROM orders
WHERE state = 'submitting' AND finished_at IS NULL AND due_at <= $1
ORDER BY due_at, id LIMIT $2

-- name: count
SELECT state, COUNT(*) FROM orders
WHERE finished_at IS NULL
GROUP BY state
UNION ALL
SELECT state, CAST(SUM(orders) AS BIGINT)
FROM tallies
GROUP BY state

-- name: open_by_caller
SELECT caller, COUNT(*) FROM orders WHERE finished_at IS NULL GROUP BY caller
