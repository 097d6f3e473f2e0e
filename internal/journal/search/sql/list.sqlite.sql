-- By their end, and the keys first: a time that is short has few of them, and the index alone has their keys.
-- name: orders_finished_within
AND key IN (SELECT key FROM orders WHERE finished_at >= $8 AND finished_at < $9)
