-- Operators with keys of their own, and the console's sessions that a logout has ended.

-- +goose Up
CREATE TABLE operators (
    name         TEXT NOT NULL PRIMARY KEY,
    role         TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    -- SHA-256 of the key, which has 256 random bits, and of the one before it, which is good until former_until.
    key_hash     BLOB NOT NULL UNIQUE,
    former_hash  BLOB UNIQUE,
    former_until INTEGER,
    expires_at   INTEGER,
    created_at   INTEGER NOT NULL,
    disabled_at  INTEGER,
    -- Counts the changes: one that raced another is refused.
    version      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Until each would have ended by itself.
CREATE TABLE ended_sessions (
    id    TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
