-- name: due
SELECT id, state, attempt_count, due_at FROM orders
WHERE due_at <= $1 AND (due_at, id) > ($2, $3)
ORDER BY due_at, id LIMIT $4

-- name: overdue
SELECT id, state, attempt_count, due_at FROM orders
WHERE state = 'submitting' AND finished_at IS NULL AND due_at <= $1
ORDER BY due_at, id LIMIT $2
