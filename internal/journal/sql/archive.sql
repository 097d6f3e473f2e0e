-- name: new_member
INSERT INTO archive_members (file, place, orders, created_from, created_until)
VALUES ($1, $2, $3, $4, $5)
RETURNING number

-- name: new_archived
INSERT INTO archived (id, member) VALUES ($1, $2)

-- name: count_leaving
SELECT COUNT(*) FROM orders
WHERE finished_at < $1 AND disputed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM events WHERE order_key = orders.key AND due_at IS NOT NULL)

-- name: archived
SELECT m.file, m.place FROM archived a JOIN archive_members m ON m.number = a.member WHERE a.id = $1

-- name: members
SELECT number, file, place, orders FROM archive_members
WHERE number > $1 AND number <= $2 AND created_until >= $3 AND created_from <= $4
ORDER BY number LIMIT 500

-- name: count_archived
SELECT COUNT(*) FROM archived

-- name: newest_member
SELECT COALESCE(MAX(number), 0) FROM archive_members
