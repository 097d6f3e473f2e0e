-- The distributor's balance. Amounts are hundredths of its unit.

-- +goose Up
-- At most one a minute: the latest.
CREATE TABLE balances (
    minute   BIGINT NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    amount   BIGINT NOT NULL,
    currency TEXT   NOT NULL
);
-- What no order of ours explains.
CREATE TABLE balance_changes (
    at     BIGINT NOT NULL,
    kind   TEXT   NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (at, kind)
);
-- One row: what all workers know.
CREATE TABLE balance_watch (
    one             BIGINT NOT NULL PRIMARY KEY,
    ask_after       BIGINT NOT NULL DEFAULT 0,
    -- The latest reading: the figure held at some moment between seen_from and seen_at; 0 before the first.
    amount          BIGINT NOT NULL DEFAULT 0,
    currency        TEXT   NOT NULL DEFAULT '',
    seen_from       BIGINT NOT NULL DEFAULT 0,
    seen_at         BIGINT NOT NULL DEFAULT 0,
    low             BIGINT NOT NULL DEFAULT 0,
    -- When low last changed.
    low_at          BIGINT NOT NULL DEFAULT 0,
    -- The reading that the movement is counted from.
    anchor_amount   BIGINT NOT NULL DEFAULT 0,
    anchor_currency TEXT   NOT NULL DEFAULT '',
    anchor_from     BIGINT NOT NULL DEFAULT 0,
    anchor_at       BIGINT NOT NULL DEFAULT 0,
    drift           BIGINT NOT NULL DEFAULT 0
);
INSERT INTO balance_watch (one) VALUES (1);
