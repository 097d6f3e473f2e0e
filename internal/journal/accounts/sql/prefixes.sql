-- It waits for whoever gives a prefix in another process, so that what follows sees it.
-- name: lock_prefixes
UPDATE prefix_changes SET changes = changes + 1 WHERE one = 1

-- Who has a prefix that begins with $1, or that $1 begins with.
-- name: prefix_clash
SELECT name FROM callers
WHERE id_prefix <> '' AND name <> $2
    AND (substr(id_prefix, 1, length($1)) = $1 OR substr($1, 1, length(id_prefix)) = id_prefix)
ORDER BY name LIMIT 1

-- name: last_key
SELECT COALESCE(MAX(key), 0) FROM orders

-- The orders of others whose ids begin with $1; all characters of an id come before the last of $2.
-- name: foreign_orders
SELECT COUNT(*) FROM orders WHERE id >= $1 AND id < $2 AND caller <> $3

-- That of the orders since a key, which it finds by the key.
-- name: foreign_since
SELECT COUNT(*) FROM orders WHERE key > $4 AND id || '' >= $1 AND id || '' < $2 AND caller <> $3
