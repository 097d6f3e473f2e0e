-- name: event
SELECT e.id, e.type, e.sequence, e.endpoint, e.state, e.body, e.created_at, e.due_at, e.delivered_at,
    e.try_count, e.schedule_start, e.tries, COALESCE(o.id, ''), COALESCE(o.caller, 'operator'),
    COALESCE(o.callback_url, '')
FROM events e
LEFT JOIN orders o ON o.key = e.order_key
WHERE e.id = $1

-- name: events_of
SELECT e.id, e.type, e.sequence, e.endpoint, e.state, e.body, e.created_at, e.due_at, e.delivered_at,
    e.try_count, e.schedule_start, e.tries, COALESCE(o.id, ''), COALESCE(o.caller, 'operator'),
    COALESCE(o.callback_url, '')
FROM events e
LEFT JOIN orders o ON o.key = e.order_key
WHERE e.order_key = $1
ORDER BY e.sequence, e.endpoint

-- name: untried
SELECT e.id, e.type, e.sequence, e.endpoint, e.state, e.body, e.created_at, e.due_at, e.delivered_at,
    e.try_count, e.schedule_start, e.tries, COALESCE(o.id, ''), COALESCE(o.caller, 'operator'),
    COALESCE(o.callback_url, '')
FROM events e
LEFT JOIN orders o ON o.key = e.order_key
WHERE e.order_key = $1 AND e.sequence = $2 AND e.endpoint = '' AND e.try_count = 0

-- name: due_events
SELECT id, due_at FROM events WHERE due_at <= $1 AND (due_at, id) > ($2, $3) ORDER BY due_at, id LIMIT $4

-- name: count_events
SELECT 'pending', COUNT(*) FROM events
WHERE due_at IS NOT NULL
UNION ALL
SELECT 'exhausted', COUNT(*)
FROM events
WHERE state = 'exhausted'

-- name: tried_so
SELECT COUNT(*) FROM events
WHERE id = $1 AND try_count = $2 + 1 AND substr(tries, length(tries) - length($3) + 1) = $3
