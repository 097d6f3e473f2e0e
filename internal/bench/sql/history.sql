-- Copies of the only order there is, with other ids, phone numbers and times: those with the numbers $1 to $2, of $3
-- in all, whose times are spread evenly over the year before $4. A copy is a row of a temporary table first, so that
-- it has every column of its table, whichever these are.

-- name: copy_orders
CREATE TEMP TABLE copies AS
WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
SELECT t.* FROM n, (SELECT * FROM orders ORDER BY key LIMIT 1) t;
UPDATE copies SET
    key = $1 + rowid,
    id = printf('HISTORY-%09d', $1 + rowid - 1),
    phone = printf('55%08d', ($1 + rowid - 1) * 7919 % 100000000),
    created_at = $4 - 31536000000000 / $3 * ($3 - $1 - rowid + 2),
    updated_at = $4 - 31536000000000 / $3 * ($3 - $1 - rowid + 2),
    finished_at = $4 - 31536000000000 / $3 * ($3 - $1 - rowid + 2);
INSERT INTO orders SELECT * FROM copies;
DROP TABLE copies;

-- name: copy_attempts
CREATE TEMP TABLE copies AS
WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
SELECT t.* FROM n, (SELECT * FROM attempts ORDER BY order_key LIMIT 1) t;
UPDATE copies SET
    order_key = $1 + rowid,
    nonce = random(),
    started_at = $4 - 31536000000000 / $3 * ($3 - $1 - rowid + 2),
    give_up_at = $4 - 31536000000000 / $3 * ($3 - $1 - rowid + 2),
    finished_at = $4 - 31536000000000 / $3 * ($3 - $1 - rowid + 2);
INSERT INTO attempts SELECT * FROM copies;
DROP TABLE copies;

-- An event's id is a UUID of version 7: its time, and what makes it unique.
-- name: copy_events
CREATE TEMP TABLE copies AS
WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
SELECT t.* FROM n, (SELECT * FROM events ORDER BY order_key LIMIT 1) t;
UPDATE copies SET
    id = unhex(printf('%012x70008%015x', ($4 - 31536000000000 / $3 * ($3 - $1 - rowid + 2)) / 1000, $1 + rowid - 1)),
    order_key = $1 + rowid,
    created_at = $4 - 31536000000000 / $3 * ($3 - $1 - rowid + 2),
    delivered_at = $4 - 31536000000000 / $3 * ($3 - $1 - rowid + 2);
INSERT INTO events SELECT * FROM copies;
DROP TABLE copies;
