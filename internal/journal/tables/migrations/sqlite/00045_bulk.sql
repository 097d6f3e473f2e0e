-- What is done to many orders or events at once, so that it goes on whoever leaves, and whichever process ends.

-- +goose Up
CREATE TABLE bulk_actions (
    id            TEXT NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL,
    filter        TEXT    NOT NULL,
    outcome       TEXT    NOT NULL,
    forced        INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    asked_by      TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    members       INTEGER NOT NULL,
    done          INTEGER NOT NULL DEFAULT 0,
    refused       INTEGER NOT NULL DEFAULT 0,
    -- NULL until all pages are there: nothing is done before.
    ready_at      INTEGER,
    -- Who does it, and until when nobody else does.
    worker        TEXT    NOT NULL DEFAULT '',
    claimed_until INTEGER NOT NULL DEFAULT 0,
    stopped_at    INTEGER,
    stopped_by    TEXT    NOT NULL DEFAULT '',
    ended_at      INTEGER
) STRICT;
CREATE INDEX bulk_actions_open ON bulk_actions (created_at) WHERE ended_at IS NULL;
CREATE TABLE bulk_pages (
    action_id   TEXT NOT NULL,
    number      INTEGER NOT NULL,
    -- JSON: whom it is done to, as they were shown.
    members     TEXT    NOT NULL,
    -- JSON: who refused it, and why.
    refusals    TEXT    NOT NULL DEFAULT '',
    finished_at INTEGER,
    PRIMARY KEY (action_id, number)
) STRICT, WITHOUT ROWID;
