-- +goose Up
CREATE TABLE callers (
    name         TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of the API key, which has 256 random bits: nobody can guess it from the digest.
    key_hash     BLOB NOT NULL UNIQUE,
    callback_url TEXT NOT NULL,
    -- Sealed: only a process with the encryption key can sign.
    secrets      BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    disabled_at  INTEGER
) STRICT, WITHOUT ROWID;

-- Endpoints that fail. One that answers has no row.
CREATE TABLE failing_endpoints (
    caller        TEXT NOT NULL,
    url           TEXT NOT NULL,
    failing_since INTEGER NOT NULL,
    disabled_at   INTEGER,
    reason        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (caller, url)
) STRICT, WITHOUT ROWID;
