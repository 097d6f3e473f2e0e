-- Those of former days.
-- name: forget_redeliveries
DELETE FROM redeliveries WHERE day < $1

-- name: count_redelivery
INSERT INTO redeliveries (day, event, times)
VALUES ($1, $2, 1)
ON CONFLICT (day, event) DO UPDATE SET times = redeliveries.times + 1
WHERE redeliveries.times < $3

-- name: redeliver
UPDATE events SET state = 'pending', due_at = $2, delivered_at = NULL, schedule_start = try_count WHERE id = $1
