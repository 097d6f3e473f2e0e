-- +goose Up
-- Members of the archive's files: orders that left in one transaction, and are unpacked together.
CREATE TABLE archive_members (
    number        INTEGER PRIMARY KEY,
    file          TEXT    NOT NULL,
    -- The member's first byte in the file.
    place         INTEGER NOT NULL,
    orders        INTEGER NOT NULL,
    -- When the first and the last of them were placed.
    created_from  INTEGER NOT NULL,
    created_until INTEGER NOT NULL
) STRICT;
-- Ids of orders that have left: taken for ever.
CREATE TABLE archived (
    id     TEXT    NOT NULL PRIMARY KEY,
    member INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
