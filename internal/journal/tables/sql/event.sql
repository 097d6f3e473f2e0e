-- name: next_sequence
SELECT COALESCE(MAX(sequence), 0) + 1 FROM events WHERE order_key = 0
