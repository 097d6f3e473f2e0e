-- A doubt is never forgotten, every order ends, and what contradicts a final state is kept.

-- +goose Up
CREATE TABLE disputes (
    order_key INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    evidence  TEXT    NOT NULL,
    raised_by TEXT    NOT NULL,
    -- NULL and '' while the dispute is open.
    ended_at  INTEGER,
    outcome   TEXT    NOT NULL DEFAULT '',
    reason    TEXT    NOT NULL DEFAULT '',
    ended_by  TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (order_key, number)
) STRICT, WITHOUT ROWID;
-- A former release called orders failed or canceled although an attempt was in doubt: a person must look at them.
INSERT INTO disputes (order_key, number, since, evidence, raised_by)
SELECT key, 1, CAST(strftime('%s', 'now') AS INTEGER) * 1000000, 'an attempt was in doubt when a former release called the order ' || state, 'migration'
FROM orders WHERE state IN ('failed', 'canceled') AND unknown_attempts <> 0;
-- The count is one of open orders. What became of the attempts themselves is kept with them.
UPDATE orders SET unknown_attempts = 0 WHERE finished_at IS NOT NULL AND (unknown_attempts < 0 OR state IN ('failed', 'canceled') AND unknown_attempts > 0);
-- CHECK stands with a new column because SQLite adds none to a table that is there.
ALTER TABLE orders ADD COLUMN disputed_at INTEGER
    CHECK (disputed_at IS NULL OR finished_at IS NOT NULL)
    CHECK (unknown_attempts >= 0)
    CHECK (unknown_attempts = 0 OR state NOT IN ('failed', 'canceled'));
-- When the order ends if it still waits then. Nothing is sent from then on.
ALTER TABLE orders ADD COLUMN ends_at INTEGER CHECK (ends_at <= expires_at);
UPDATE orders SET disputed_at = (SELECT since FROM disputes WHERE order_key = key) WHERE key IN (SELECT order_key FROM disputes);
-- Open orders get what the defaults of the settings would have given them.
UPDATE orders SET ends_at = CASE WHEN attempt_count = 0 THEN COALESCE(expires_at, max(created_at, COALESCE(process_at, 0)) + 72 * 3600000000)
    ELSE min(COALESCE(expires_at, 9223372036854775807), COALESCE((SELECT min(started_at) FROM attempts WHERE order_key = key), updated_at) + 1800000000) END
WHERE finished_at IS NULL;
UPDATE orders SET due_at = ends_at WHERE state IN ('queued', 'retrying') AND due_at > ends_at;
CREATE INDEX orders_disputed ON orders (disputed_at) WHERE disputed_at IS NOT NULL;

-- An order may be held, and resolved, twice at the same attempt: when its time is over before it is sent again.
CREATE TABLE resolutions_new (
    order_key      INTEGER NOT NULL,
    number         INTEGER NOT NULL,
    -- The attempt that was held.
    attempt        INTEGER NOT NULL,
    outcome        TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    decided_by     TEXT    NOT NULL,
    forced         INTEGER NOT NULL,
    transaction_id TEXT    NOT NULL,
    reference      TEXT    NOT NULL,
    auth_code      TEXT    NOT NULL,
    decided_at     INTEGER NOT NULL,
    PRIMARY KEY (order_key, number)
) STRICT, WITHOUT ROWID;
INSERT INTO resolutions_new SELECT order_key, attempt, attempt, outcome, reason, decided_by, forced, transaction_id, reference, auth_code, decided_at FROM resolutions;
DROP TABLE resolutions;
ALTER TABLE resolutions_new RENAME TO resolutions;

CREATE TABLE corrections (
    order_key          INTEGER NOT NULL,
    number             INTEGER NOT NULL,
    outcome            TEXT    NOT NULL,
    reason             TEXT    NOT NULL,
    decided_by         TEXT    NOT NULL,
    was                TEXT    NOT NULL,
    was_transaction_id TEXT    NOT NULL,
    transaction_id     TEXT    NOT NULL,
    reference          TEXT    NOT NULL,
    auth_code          TEXT    NOT NULL,
    decided_at         INTEGER NOT NULL,
    PRIMARY KEY (order_key, number)
) STRICT, WITHOUT ROWID;
