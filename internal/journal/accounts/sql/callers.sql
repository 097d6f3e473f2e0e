-- name: add_caller
INSERT INTO callers (name, callback_url, key_hash, secrets, created_at, disabled_at, endpoints, key_hint,
    key_created_at, key_expires_at, former_hash, former_hint, former_created_at, former_expires_at, id_prefix,
    max_open, max_rate)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (name) DO NOTHING

-- name: callers
SELECT version, name, callback_url, key_hash, secrets, created_at, disabled_at, endpoints, key_hint,
    key_created_at, key_expires_at, former_hash, former_hint, former_created_at, former_expires_at, id_prefix,
    max_open, max_rate
FROM callers
ORDER BY name

-- name: caller
SELECT version, name, callback_url, key_hash, secrets, created_at, disabled_at, endpoints, key_hint,
    key_created_at, key_expires_at, former_hash, former_hint, former_created_at, former_expires_at, id_prefix,
    max_open, max_rate
FROM callers
WHERE name = $1

-- A union, so that either key is found by its index.
-- name: caller_by_key
SELECT version, name, callback_url, key_hash, secrets, created_at, disabled_at, endpoints, key_hint,
    key_created_at, key_expires_at, former_hash, former_hint, former_created_at, former_expires_at, id_prefix,
    max_open, max_rate
FROM callers
WHERE key_hash = $1
UNION ALL
SELECT version, name, callback_url, key_hash, secrets, created_at, disabled_at, endpoints, key_hint,
    key_created_at, key_expires_at, former_hash, former_hint, former_created_at, former_expires_at, id_prefix,
    max_open, max_rate
FROM callers
WHERE former_hash = $1

-- It compares the version: of two changes that were made of the same one, only one is written. It compares the secrets
-- as well, which a rekey seals anew without making another version.
-- name: change_caller
UPDATE callers
SET version = version + 1, callback_url = $2, key_hash = $3, secrets = $4, created_at = $5, disabled_at = $6,
    endpoints = $7, key_hint = $8, key_created_at = $9, key_expires_at = $10, former_hash = $11,
    former_hint = $12, former_created_at = $13, former_expires_at = $14, id_prefix = $15, max_open = $16,
    max_rate = $17
WHERE name = $1 AND version = $18 AND secrets = $19

-- It compares with what was read: whoever rotates the secrets meanwhile has the last word.
-- name: reseal
UPDATE callers SET secrets = $2 WHERE name = $1 AND secrets = $3
