-- Times are microseconds since 1970, UTC. Amounts are centavos. '' is "none" for texts, NULL for times.
-- Rows of attempts and events are written only in the transaction of their order's compare-and-set,
-- so that no foreign key needs to be checked.

-- +goose Up
CREATE TABLE orders (
    key              BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id               TEXT COLLATE "C" NOT NULL UNIQUE,
    caller           TEXT COLLATE "C" NOT NULL,
    fingerprint      BYTEA   NOT NULL,
    state            TEXT    NOT NULL,
    reason           TEXT    NOT NULL DEFAULT '',
    phone            TEXT COLLATE "C" NOT NULL,
    product          TEXT    NOT NULL,
    amount           BIGINT  NOT NULL,
    operator         TEXT    NOT NULL,
    metadata         TEXT    NOT NULL,
    callback_url     TEXT    NOT NULL,
    attempt_count    INTEGER NOT NULL DEFAULT 0,
    -- The sequence of the latest event.
    event_count      INTEGER NOT NULL DEFAULT 0,
    -- Attempts that may have moved money without having settled the order.
    unknown_attempts INTEGER NOT NULL DEFAULT 0,
    response_code    TEXT    NOT NULL DEFAULT '',
    response_message TEXT    NOT NULL DEFAULT '',
    transaction_id   TEXT    NOT NULL DEFAULT '',
    reference        TEXT    NOT NULL DEFAULT '',
    auth_code        TEXT    NOT NULL DEFAULT '',
    balance_after    TEXT    NOT NULL DEFAULT '',
    created_at       BIGINT  NOT NULL,
    updated_at       BIGINT  NOT NULL,
    process_at       BIGINT,
    expires_at       BIGINT,
    next_attempt_at  BIGINT,
    finished_at      BIGINT,
    -- When somebody must look at the order; for one that is submitting, the attempt's deadline.
    due_at           BIGINT
);
-- What is to be done; a finished order is in neither.
CREATE INDEX orders_due  ON orders (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX orders_open ON orders (state, created_at) WHERE finished_at IS NULL;
-- Lists, newest first; a tie is broken by the key.
CREATE INDEX orders_created ON orders (created_at, key);
CREATE INDEX orders_caller  ON orders (caller, created_at, key);
CREATE INDEX orders_phone   ON orders (phone, created_at, key);

CREATE TABLE attempts (
    order_key        BIGINT  NOT NULL,
    number           INTEGER NOT NULL,
    worker           TEXT    NOT NULL,
    -- Tells one call of Begin from another of the same worker.
    nonce            BIGINT  NOT NULL,
    started_at       BIGINT  NOT NULL,
    give_up_at       BIGINT  NOT NULL,
    finished_at      BIGINT,
    -- '' while nobody has recorded one.
    outcome          TEXT    NOT NULL DEFAULT '',
    http_status      INTEGER NOT NULL DEFAULT 0,
    response_code    TEXT    NOT NULL DEFAULT '',
    response_message TEXT    NOT NULL DEFAULT '',
    error            TEXT    NOT NULL DEFAULT '',
    evidence         TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (order_key, number)
);

CREATE TABLE events (
    order_key      BIGINT  NOT NULL,
    sequence       INTEGER NOT NULL,
    -- The UUID of the id that callers see.
    id             BYTEA   NOT NULL UNIQUE,
    type           TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    body           BYTEA   NOT NULL,
    created_at     BIGINT  NOT NULL,
    due_at         BIGINT,
    delivered_at   BIGINT,
    try_count      INTEGER NOT NULL DEFAULT 0,
    schedule_start INTEGER NOT NULL DEFAULT 0,
    -- One line of JSON a try: [microseconds, HTTP status or 0, duration in ms, error].
    tries          TEXT    NOT NULL DEFAULT '',
    UNIQUE (order_key, sequence)
);
CREATE INDEX events_due ON events (due_at, id) WHERE due_at IS NOT NULL;

-- How many orders have reached each final state, summed over writers: counting the orders themselves
-- would read all of them.
CREATE TABLE tallies (
    state  TEXT    NOT NULL,
    writer INTEGER NOT NULL,
    orders BIGINT  NOT NULL,
    PRIMARY KEY (state, writer)
);
