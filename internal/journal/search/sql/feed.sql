-- Events of a feed, in its order.
-- name: feed
SELECT e.feed_position, e.id, e.type, e.sequence, e.endpoint, e.state, e.body, e.created_at, e.due_at, e.delivered_at,
    e.try_count, e.schedule_start, e.tries, COALESCE(o.id, ''), COALESCE(o.caller, 'operator'),
    COALESCE(o.callback_url, '')
FROM events e
LEFT JOIN orders o ON o.key = e.order_key
WHERE e.feed_caller = $1 AND e.feed_position > $2 AND e.feed_position <= $3
ORDER BY e.feed_position LIMIT $4

-- How far a caller's events have left, and whether the event of a place is there.
-- name: feed_place
SELECT COALESCE((SELECT position FROM feed_left WHERE caller = $1), 0),
    (SELECT COUNT(*) FROM events WHERE feed_caller = $1 AND feed_position = $2 AND id = $3)
