-- +goose Up
CREATE TABLE callers (
    name         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- SHA-256 of the API key, which has 256 random bits: nobody can guess it from the digest.
    key_hash     BYTEA NOT NULL UNIQUE,
    callback_url TEXT NOT NULL,
    -- Sealed: only a process with the encryption key can sign.
    secrets      BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    disabled_at  BIGINT
);

-- Endpoints that fail. One that answers has no row.
CREATE TABLE failing_endpoints (
    caller        TEXT NOT NULL,
    url           TEXT NOT NULL,
    failing_since BIGINT NOT NULL,
    disabled_at   BIGINT,
    reason        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (caller, url)
);
