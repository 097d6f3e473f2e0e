-- An event without an order is the operator's.
-- name: event
SELECT e.id, e.type, e.sequence, e.endpoint, e.state, e.body, e.created_at, e.due_at, e.delivered_at,
    e.try_count, e.schedule_start, e.tries, COALESCE(o.id, ''), COALESCE(o.caller, 'operator'),
    COALESCE(o.callback_url, '')
FROM events e
LEFT JOIN orders o ON o.key = e.order_key
WHERE e.id = $1

-- name: untried
SELECT e.id, e.type, e.sequence, e.endpoint, e.state, e.body, e.created_at, e.due_at, e.delivered_at,
    e.try_count, e.schedule_start, e.tries, COALESCE(o.id, ''), COALESCE(o.caller, 'operator'),
    COALESCE(o.callback_url, '')
FROM events e
LEFT JOIN orders o ON o.key = e.order_key
WHERE e.order_key = $1 AND e.sequence = $2 AND e.endpoint = '' AND e.try_count = 0

-- name: due_events
SELECT id, due_at FROM events WHERE due_at <= $1 AND (due_at, id) > ($2, $3) ORDER BY due_at, id LIMIT $4

-- Whether the latest try of an event is this very one.
-- name: tried_so
SELECT COUNT(*) FROM events
WHERE id = $1 AND try_count = $2 + 1 AND substr(tries, length(tries) - length($3) + 1) = $3

-- name: adopt
UPDATE events SET endpoint = $2
WHERE id = $1 AND endpoint = '' AND try_count = 0 AND NOT EXISTS (
    SELECT 1 FROM events AS copy
    WHERE copy.order_key = events.order_key AND copy.sequence = events.sequence AND copy.endpoint = $2)

-- name: copy
INSERT INTO events (order_key, sequence, endpoint, id, type, state, body, created_at, due_at)
SELECT order_key, sequence, $2, $3, type, 'pending', body, created_at, $4
FROM events
WHERE id = $1
ON CONFLICT (order_key, sequence, endpoint) DO NOTHING
