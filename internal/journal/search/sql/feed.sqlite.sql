-- The newest position of each of some feeds.
-- name: feed_ends
SELECT value, COALESCE((SELECT MAX(feed_position) FROM events
    WHERE feed_caller = value AND feed_position IS NOT NULL), 0)
FROM json_each($1)
