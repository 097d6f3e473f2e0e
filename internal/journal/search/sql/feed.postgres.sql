-- The newest position of each of some feeds.
-- name: feed_ends
SELECT given.caller, COALESCE((SELECT MAX(feed_position) FROM events
    WHERE feed_caller = given.caller AND feed_position IS NOT NULL), 0)
FROM unnest($1::text[]) AS given (caller)

-- name: feed_end
SELECT feed_end()

-- The transactions that may have taken a position: those that hold the lock of the function feed_event.
-- name: feed_writers
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32) + objid::bigint = 8243103963153916162
