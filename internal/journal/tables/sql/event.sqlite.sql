-- name: new_event
INSERT INTO events (id, order_key, sequence, type, state, body, created_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
