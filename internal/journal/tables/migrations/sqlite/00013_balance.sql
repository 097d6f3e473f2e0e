-- The distributor's balance. Amounts are hundredths of its unit.

-- +goose Up
-- At most one a minute: the latest.
CREATE TABLE balances (
    minute   INTEGER NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    amount   INTEGER NOT NULL,
    currency TEXT   NOT NULL
) STRICT;
-- What no order of ours explains.
CREATE TABLE balance_changes (
    at     INTEGER NOT NULL,
    kind   TEXT   NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (at, kind)
) STRICT;
-- One row: what all workers know.
CREATE TABLE balance_watch (
    one             INTEGER NOT NULL PRIMARY KEY,
    ask_after       INTEGER NOT NULL DEFAULT 0,
    -- The latest reading: the figure held at some moment between seen_from and seen_at; 0 before the first.
    amount          INTEGER NOT NULL DEFAULT 0,
    currency        TEXT   NOT NULL DEFAULT '',
    seen_from       INTEGER NOT NULL DEFAULT 0,
    seen_at         INTEGER NOT NULL DEFAULT 0,
    low             INTEGER NOT NULL DEFAULT 0,
    -- When low last changed.
    low_at          INTEGER NOT NULL DEFAULT 0,
    -- The reading that the movement is counted from.
    anchor_amount   INTEGER NOT NULL DEFAULT 0,
    anchor_currency TEXT   NOT NULL DEFAULT '',
    anchor_from     INTEGER NOT NULL DEFAULT 0,
    anchor_at       INTEGER NOT NULL DEFAULT 0,
    drift           INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO balance_watch (one) VALUES (1);
