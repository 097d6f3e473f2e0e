-- It knows how many end in a time: few are looked up by their end, of many the newest are found by their beginning.
-- name: orders_finished_within
AND finished_at >= $8 AND finished_at < $9
