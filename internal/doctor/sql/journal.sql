-- name: keys
SELECT name, key_expires_at FROM callers
WHERE disabled_at IS NULL AND key_expires_at IS NOT NULL AND key_expires_at < $1 ORDER BY key_expires_at, name

-- name: sealed
SELECT name, secrets FROM callers

-- name: held
SELECT COUNT(*) FROM orders WHERE state = 'unknown' AND finished_at IS NULL
