-- name: prefix_of
SELECT id_prefix FROM callers WHERE name = $1

-- name: lock_prefixes
UPDATE prefix_changes SET changes = changes + 1 WHERE one = 1

-- name: prefix_clash
SELECT name FROM callers
WHERE id_prefix <> '' AND name <> $2
    AND (substr(id_prefix, 1, length($1)) = $1 OR substr($1, 1, length(id_prefix)) = id_prefix)
ORDER BY name LIMIT 1

-- name: last_key
SELECT COALESCE(MAX(key), 0) FROM orders

-- name: foreign_orders
SELECT COUNT(*) FROM orders WHERE id >= $1 AND id < $2 AND caller <> $3

-- name: foreign_since
SELECT COUNT(*) FROM orders WHERE key > $4 AND id || '' >= $1 AND id || '' < $2 AND caller <> $3
