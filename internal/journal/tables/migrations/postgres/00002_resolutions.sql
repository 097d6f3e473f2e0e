-- +goose Up
CREATE TABLE resolutions (
    order_key      BIGINT  NOT NULL,
    -- The attempt that was held.
    attempt        INTEGER NOT NULL,
    outcome        TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    decided_by     TEXT    NOT NULL,
    forced         INTEGER NOT NULL,
    transaction_id TEXT    NOT NULL,
    reference      TEXT    NOT NULL,
    auth_code      TEXT    NOT NULL,
    decided_at     BIGINT  NOT NULL,
    PRIMARY KEY (order_key, attempt)
);
