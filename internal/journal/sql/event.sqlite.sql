-- name: try
UPDATE events SET try_count = try_count + 1, tries = tries || $3, state = $4, due_at = $5, delivered_at = $6
WHERE id = $1 AND try_count = $2 AND state = 'pending' AND endpoint = $7
