-- What is done to many orders or events at once, so that it goes on whoever leaves, and whichever process ends.

-- +goose Up
CREATE TABLE bulk_actions (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL,
    filter        TEXT    NOT NULL,
    outcome       TEXT    NOT NULL,
    forced        INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    asked_by      TEXT    NOT NULL,
    created_at    BIGINT  NOT NULL,
    members       BIGINT  NOT NULL,
    done          BIGINT  NOT NULL DEFAULT 0,
    refused       BIGINT  NOT NULL DEFAULT 0,
    -- NULL until all pages are there: nothing is done before.
    ready_at      BIGINT,
    -- Who does it, and until when nobody else does.
    worker        TEXT    NOT NULL DEFAULT '',
    claimed_until BIGINT  NOT NULL DEFAULT 0,
    stopped_at    BIGINT,
    stopped_by    TEXT    NOT NULL DEFAULT '',
    ended_at      BIGINT
);
CREATE INDEX bulk_actions_open ON bulk_actions (created_at) WHERE ended_at IS NULL;
CREATE TABLE bulk_pages (
    action_id   TEXT COLLATE "C" NOT NULL,
    number      INTEGER NOT NULL,
    -- JSON: whom it is done to, as they were shown.
    members     TEXT    NOT NULL,
    -- JSON: who refused it, and why.
    refusals    TEXT    NOT NULL DEFAULT '',
    finished_at BIGINT,
    PRIMARY KEY (action_id, number)
);
