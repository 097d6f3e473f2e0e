-- +goose Up
-- Rises with each change: one that was made of an older version is refused.
ALTER TABLE callers ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
-- Of the key: its last characters, by which people tell it from others, when it was made, and when it ends.
ALTER TABLE callers ADD COLUMN key_hint TEXT NOT NULL DEFAULT '';
ALTER TABLE callers ADD COLUMN key_created_at INTEGER;
ALTER TABLE callers ADD COLUMN key_expires_at INTEGER;
-- The key before, which may be good as well for a while; NULL for none.
ALTER TABLE callers ADD COLUMN former_hash BLOB;
ALTER TABLE callers ADD COLUMN former_hint TEXT NOT NULL DEFAULT '';
ALTER TABLE callers ADD COLUMN former_created_at INTEGER;
ALTER TABLE callers ADD COLUMN former_expires_at INTEGER;
-- What the ids of its orders begin with, and nobody else's; '' for none. No prefix is the beginning of another.
ALTER TABLE callers ADD COLUMN id_prefix TEXT NOT NULL DEFAULT '';
-- Orders that are not final, and orders in a time, as in 5/s; 0 and '' for as many as it likes.
ALTER TABLE callers ADD COLUMN max_open INTEGER NOT NULL DEFAULT 0;
ALTER TABLE callers ADD COLUMN max_rate TEXT NOT NULL DEFAULT '';
UPDATE callers SET key_created_at = created_at;
CREATE UNIQUE INDEX callers_former ON callers (former_hash) WHERE former_hash IS NOT NULL;
CREATE UNIQUE INDEX callers_prefix ON callers (id_prefix) WHERE id_prefix <> '';
-- Whoever gives a prefix changes this row first, so that two processes do it one after the other.
CREATE TABLE prefix_changes (
    one     INTEGER NOT NULL PRIMARY KEY,
    changes INTEGER NOT NULL
) STRICT;
INSERT INTO prefix_changes (one, changes) VALUES (1, 0);
-- How often an event was redelivered by its caller on a day, which is counted from 1970.
CREATE TABLE redeliveries (
    day   INTEGER NOT NULL,
    event BLOB NOT NULL,
    times INTEGER NOT NULL,
    PRIMARY KEY (day, event)
) STRICT, WITHOUT ROWID;
