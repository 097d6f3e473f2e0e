-- name: new_event
INSERT INTO events (id, order_key, sequence, type, state, body, created_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: try
UPDATE events SET try_count = try_count + 1, tries = tries || $3, state = $4, due_at = $5, delivered_at = $6
WHERE id = $1 AND try_count = $2 AND state = 'pending'
