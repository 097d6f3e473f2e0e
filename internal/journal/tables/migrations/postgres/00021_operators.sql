-- Operators with keys of their own, and the console's sessions that a logout has ended.

-- +goose Up
CREATE TABLE operators (
    name         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    role         TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    -- SHA-256 of the key, which has 256 random bits, and of the one before it, which is good until former_until.
    key_hash     BYTEA NOT NULL UNIQUE,
    former_hash  BYTEA UNIQUE,
    former_until BIGINT,
    expires_at   BIGINT,
    created_at   BIGINT NOT NULL,
    disabled_at  BIGINT,
    -- Counts the changes: one that raced another is refused.
    version      BIGINT NOT NULL
);

-- Until each would have ended by itself.
CREATE TABLE ended_sessions (
    id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);
