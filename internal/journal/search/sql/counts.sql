-- name: count
SELECT state, COUNT(*) FROM orders
WHERE finished_at IS NULL
GROUP BY state
UNION ALL
SELECT state, CAST(SUM(orders) AS BIGINT)
FROM tallies
GROUP BY state

-- name: open_by_caller
SELECT caller, COUNT(*) FROM orders WHERE finished_at IS NULL GROUP BY caller

-- Only the orders that are open are read, by their index.
-- name: unbought
SELECT caller, product, COUNT(*), CAST(SUM(amount) AS BIGINT), COUNT(ready), COALESCE(CAST(SUM(ready) AS BIGINT), 0)
FROM (
    SELECT caller, product, amount, CASE WHEN waits_for IN ('', 'paused') AND COALESCE(next_attempt_at, process_at, 0) <= $1
        THEN amount END AS ready
    FROM orders WHERE finished_at IS NULL AND (state = 'queued' OR state = 'retrying')
) waiting
GROUP BY caller, product

-- name: oldest_unknown
SELECT COALESCE(MIN(updated_at), 0) FROM orders WHERE state = 'unknown' AND finished_at IS NULL

-- name: count_disputed
SELECT COUNT(*), COALESCE(MIN(disputed_at), 0) FROM orders WHERE disputed_at IS NOT NULL

-- The ids of events begin with the time at which each was made. The inner LIMIT keeps the engines from walking through
-- all events by their ids, the oldest first: those that are not delivered are few.
-- name: oldest_undelivered
SELECT id FROM (SELECT id FROM events WHERE due_at IS NOT NULL LIMIT 9000000000000000000 OFFSET 0) undelivered
ORDER BY id LIMIT 1

-- name: count_events
SELECT 'pending', COUNT(*) FROM events
WHERE due_at IS NOT NULL
UNION ALL
SELECT 'exhausted', COUNT(*)
FROM events
WHERE state = 'exhausted'
