-- Each caller's events in the order in which they were made, for those who cannot receive webhooks.

-- +goose Up
-- Whose feed an event is in, and where; NULL for one that was made before there were feeds, and for the copies that
-- further endpoints get.
ALTER TABLE events ADD COLUMN feed_caller TEXT;
ALTER TABLE events ADD COLUMN feed_position INTEGER;
CREATE INDEX events_feed ON events (feed_caller, feed_position) WHERE feed_position IS NOT NULL;
-- One row: the latest position. There is one writer at a time, so positions rise in the order of the commits.
CREATE TABLE feed_positions (
    one      INTEGER NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;
INSERT INTO feed_positions (one, position) VALUES (1, 0);
-- How far the events of a caller have left for the archive.
CREATE TABLE feed_left (
    caller   TEXT    NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- +goose StatementBegin
CREATE TRIGGER events_feed AFTER INSERT ON events WHEN NEW.endpoint = ''
BEGIN
    UPDATE feed_positions SET position = position + 1;
    UPDATE events SET feed_position = (SELECT position FROM feed_positions),
        feed_caller = COALESCE((SELECT caller FROM orders WHERE key = NEW.order_key), 'operator')
    WHERE rowid = NEW.rowid;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER events_feed_leaves AFTER DELETE ON events WHEN OLD.feed_position IS NOT NULL
BEGIN
    INSERT INTO feed_left (caller, position) VALUES (OLD.feed_caller, OLD.feed_position)
    ON CONFLICT (caller) DO UPDATE SET position = max(position, excluded.position);
END;
-- +goose StatementEnd
