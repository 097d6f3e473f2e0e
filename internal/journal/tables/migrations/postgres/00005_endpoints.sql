-- +goose Up
-- A caller's endpoints beside its callback URL: [{"name": …, "url": …, "event_types": […]}, …].
ALTER TABLE callers ADD COLUMN endpoints TEXT NOT NULL DEFAULT '[]';
-- To the hour.
ALTER TABLE failing_endpoints ADD COLUMN last_failed_at BIGINT;

-- An event is one row for each endpoint that is told of it: '' is the callback URL. order_key 0 is what
-- the operator is told.
ALTER TABLE events ADD COLUMN endpoint TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE events DROP CONSTRAINT events_order_key_sequence_key;
ALTER TABLE events ADD CONSTRAINT events_order_key_sequence_endpoint_key UNIQUE (order_key, sequence, endpoint);
