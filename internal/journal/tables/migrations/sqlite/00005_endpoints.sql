-- +goose Up
-- A caller's endpoints beside its callback URL: [{"name": …, "url": …, "event_types": […]}, …].
ALTER TABLE callers ADD COLUMN endpoints TEXT NOT NULL DEFAULT '[]';
-- To the hour.
ALTER TABLE failing_endpoints ADD COLUMN last_failed_at INTEGER;

-- An event is one row for each endpoint that is told of it: '' is the callback URL. order_key 0 is what
-- the operator is told. SQLite cannot change a constraint, so the table is written anew.
CREATE TABLE events_new (
    order_key      INTEGER NOT NULL,
    sequence       INTEGER NOT NULL,
    endpoint       TEXT    NOT NULL DEFAULT '',
    -- The UUID of the id that callers see.
    id             BLOB    NOT NULL UNIQUE,
    type           TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    body           BLOB    NOT NULL,
    created_at     INTEGER NOT NULL,
    due_at         INTEGER,
    delivered_at   INTEGER,
    try_count      INTEGER NOT NULL DEFAULT 0,
    schedule_start INTEGER NOT NULL DEFAULT 0,
    -- One line of JSON a try: [microseconds, HTTP status or 0, duration in ms, error].
    tries          TEXT    NOT NULL DEFAULT '',
    UNIQUE (order_key, sequence, endpoint)
) STRICT;
INSERT INTO events_new (order_key, sequence, id, type, state, body, created_at, due_at, delivered_at, try_count, schedule_start, tries)
SELECT order_key, sequence, id, type, state, body, created_at, due_at, delivered_at, try_count, schedule_start, tries FROM events;
DROP TABLE events;
ALTER TABLE events_new RENAME TO events;
CREATE INDEX events_due ON events (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX events_exhausted ON events (id) WHERE state = 'exhausted';
