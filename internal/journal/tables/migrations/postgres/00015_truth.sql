-- A doubt is never forgotten, every order ends, and what contradicts a final state is kept.

-- +goose Up
CREATE TABLE disputes (
    order_key BIGINT  NOT NULL,
    number    INTEGER NOT NULL,
    since     BIGINT  NOT NULL,
    evidence  TEXT    NOT NULL,
    raised_by TEXT    NOT NULL,
    -- NULL and '' while the dispute is open.
    ended_at  BIGINT,
    outcome   TEXT    NOT NULL DEFAULT '',
    reason    TEXT    NOT NULL DEFAULT '',
    ended_by  TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (order_key, number)
);
-- A former release called orders failed or canceled although an attempt was in doubt: a person must look at them.
INSERT INTO disputes (order_key, number, since, evidence, raised_by)
SELECT key, 1, CAST(extract(epoch FROM now()) AS BIGINT) * 1000000, 'an attempt was in doubt when a former release called the order ' || state, 'migration'
FROM orders WHERE state IN ('failed', 'canceled') AND unknown_attempts <> 0;
ALTER TABLE orders ADD COLUMN disputed_at BIGINT;
-- When the order ends if it still waits then. Nothing is sent from then on.
ALTER TABLE orders ADD COLUMN ends_at BIGINT;
-- The count is one of open orders. What became of the attempts themselves is kept with them.
UPDATE orders SET unknown_attempts = 0, disputed_at = (SELECT since FROM disputes WHERE order_key = key)
WHERE finished_at IS NOT NULL AND (unknown_attempts < 0 OR state IN ('failed', 'canceled') AND unknown_attempts > 0);
-- Open orders get what the defaults of the settings would have given them.
UPDATE orders SET ends_at = CASE WHEN attempt_count = 0 THEN COALESCE(expires_at, greatest(created_at, process_at) + 72 * 3600000000)
    ELSE least(expires_at, COALESCE((SELECT min(started_at) FROM attempts WHERE order_key = key), updated_at) + 1800000000) END
WHERE finished_at IS NULL;
UPDATE orders SET due_at = ends_at WHERE state IN ('queued', 'retrying') AND due_at > ends_at;
ALTER TABLE orders ADD CONSTRAINT orders_disputed_final CHECK (disputed_at IS NULL OR finished_at IS NOT NULL),
    ADD CONSTRAINT orders_doubts CHECK (unknown_attempts >= 0),
    ADD CONSTRAINT orders_no_doubt_forgotten CHECK (unknown_attempts = 0 OR state NOT IN ('failed', 'canceled')),
    ADD CONSTRAINT orders_end_by_expiry CHECK (ends_at <= expires_at);
CREATE INDEX orders_disputed ON orders (disputed_at) WHERE disputed_at IS NOT NULL;

-- An order may be held, and resolved, twice at the same attempt: when its time is over before it is sent again.
ALTER TABLE resolutions ADD COLUMN number INTEGER;
UPDATE resolutions SET number = attempt;
ALTER TABLE resolutions DROP CONSTRAINT resolutions_pkey, ADD PRIMARY KEY (order_key, number);

CREATE TABLE corrections (
    order_key          BIGINT  NOT NULL,
    number             INTEGER NOT NULL,
    outcome            TEXT    NOT NULL,
    reason             TEXT    NOT NULL,
    decided_by         TEXT    NOT NULL,
    was                TEXT    NOT NULL,
    was_transaction_id TEXT    NOT NULL,
    transaction_id     TEXT    NOT NULL,
    reference          TEXT    NOT NULL,
    auth_code          TEXT    NOT NULL,
    decided_at         BIGINT  NOT NULL,
    PRIMARY KEY (order_key, number)
);
