-- name: add_operator
INSERT INTO operators (name, role, key_hash, former_hash, former_until, expires_at, created_at, disabled_at,
    version)
VALUES ($1, $2, $3, $4, $5, $6, $9, $7, $8)
ON CONFLICT (name) DO NOTHING

-- name: operators
SELECT name, role, key_hash, former_hash, former_until, expires_at, created_at, disabled_at, version
FROM operators
ORDER BY name

-- name: operator
SELECT name, role, key_hash, former_hash, former_until, expires_at, created_at, disabled_at, version
FROM operators
WHERE name = $1

-- name: operator_by_key
SELECT name, role, key_hash, former_hash, former_until, expires_at, created_at, disabled_at, version
FROM operators
WHERE key_hash = $1 OR former_hash = $1

-- It compares the version with the one that was read: of two changes at once, none may be lost.
-- name: change_operator
UPDATE operators
SET role = $2, key_hash = $3, former_hash = $4, former_until = $5, expires_at = $6, disabled_at = $7,
    version = $8
WHERE name = $1 AND version = $8 - 1

-- name: end_session
INSERT INTO ended_sessions (id, until) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING

-- name: forget_ended
DELETE FROM ended_sessions WHERE until < $1

-- name: session_ended
SELECT COUNT(*) FROM ended_sessions WHERE id = $1
