-- name: sold
SELECT o.id, o.state, o.phone, o.amount, o.transaction_id, o.reference, o.auth_code, o.attempt_count,
    MAX(CASE WHEN a.outcome = 'approved' THEN 1 ELSE 0 END), COUNT(a.number), COALESCE(MIN(a.started_at), 0),
    COALESCE(MAX(CASE WHEN a.outcome = 'approved' OR a.finished_at > a.give_up_at THEN a.finished_at
    ELSE a.give_up_at END), 0), COALESCE(o.finished_at, o.created_at), o.key,
    CASE WHEN o.held_at IS NULL THEN 0 ELSE 1 END
FROM orders o
LEFT JOIN attempts a ON a.order_key = o.key AND (a.outcome NOT IN ('unavailable', 'not_sent', 'declined')
    OR a.outcome = 'unavailable' AND (o.held_at IS NOT NULL OR o.state = 'retrying'))
WHERE o.key IN (SELECT key FROM orders WHERE finished_at >= $1 AND (finished_at, key) > ($1, $2)
    AND state = 'succeeded' AND created_at <= $3 ORDER BY finished_at, key LIMIT $4)
GROUP BY o.key
ORDER BY COALESCE(o.finished_at, o.created_at), o.key

-- name: held
SELECT o.id, o.state, o.phone, o.amount, o.transaction_id, o.reference, o.auth_code, o.attempt_count,
    MAX(CASE WHEN a.outcome = 'approved' THEN 1 ELSE 0 END), COUNT(a.number), COALESCE(MIN(a.started_at), 0),
    COALESCE(MAX(CASE WHEN a.outcome = 'approved' OR a.finished_at > a.give_up_at THEN a.finished_at
    ELSE a.give_up_at END), 0), COALESCE(o.finished_at, o.created_at), o.key,
    CASE WHEN o.held_at IS NULL THEN 0 ELSE 1 END
FROM orders o
LEFT JOIN attempts a ON a.order_key = o.key AND (a.outcome NOT IN ('unavailable', 'not_sent', 'declined')
    OR a.outcome = 'unavailable' AND (o.held_at IS NOT NULL OR o.state = 'retrying'))
WHERE o.key IN (SELECT key FROM orders WHERE finished_at IS NULL AND state = 'unknown' AND created_at >= $1
    AND (created_at, key) > ($1, $2) ORDER BY created_at, key LIMIT $3)
GROUP BY o.key
ORDER BY COALESCE(o.finished_at, o.created_at), o.key
