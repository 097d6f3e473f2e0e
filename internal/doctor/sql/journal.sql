-- name: keys
SELECT name, key_expires_at FROM callers
WHERE disabled_at IS NULL AND key_expires_at IS NOT NULL AND key_expires_at < $1 ORDER BY key_expires_at, name

-- name: sealed
SELECT name, secrets FROM callers

-- name: held
SELECT COUNT(*) FROM orders WHERE state = 'unknown' AND finished_at IS NULL

-- What is set, in one text.
-- name: controls
SELECT COALESCE((SELECT kind || CASE name WHEN '' THEN '' ELSE ' ' || name END
    || CASE value WHEN '' THEN ' is paused' ELSE ' is limited to ' || value END || ' by ' || by_whom
    || CASE (SELECT COUNT(*) FROM controls) WHEN 1 THEN '' ELSE ', and others' END
    FROM controls ORDER BY since, kind, name LIMIT 1), '')
