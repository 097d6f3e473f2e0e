-- name: started
SELECT a.started_at FROM attempts a JOIN orders o ON o.key = a.order_key WHERE o.id = $1 AND a.number = $2

-- name: before
SELECT id, balance_after, finished_at FROM orders
WHERE created_at > $1 AND finished_at <= $2 AND state = 'succeeded' AND balance_after <> '' AND id <> $3
ORDER BY finished_at DESC LIMIT 1

-- name: between
SELECT state, COUNT(*), CAST(SUM(amount) AS BIGINT) FROM orders
WHERE created_at > $1 AND id <> $2 AND (state = 'succeeded' AND finished_at > $3 AND finished_at <= $4
    OR state = 'unknown' AND updated_at > $3)
GROUP BY state

-- name: evidence
UPDATE attempts SET evidence = CASE WHEN evidence = '' THEN $3 ELSE evidence || '; ' || $3 END
WHERE order_key = (SELECT key FROM orders WHERE id = $1) AND number = $2 AND outcome = 'unknown'
