-- Each caller's events in the order in which they were made, for those who cannot receive webhooks. There may be many
-- events: the index is built while others write them, which no transaction can do. So each statement can be repeated
-- after an interruption.

-- +goose NO TRANSACTION
-- +goose Up
-- Whose feed an event is in, and where; NULL for one that was made before there were feeds, and for the copies that
-- further endpoints get.
ALTER TABLE events ADD COLUMN IF NOT EXISTS feed_caller TEXT COLLATE "C",
    ADD COLUMN IF NOT EXISTS feed_position BIGINT;
-- What is left of an interrupted build is no index.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('events_feed') AND NOT indisvalid) THEN
        DROP INDEX events_feed;
    END IF;
END $$;
-- +goose StatementEnd
-- The build waits for the transactions of others, however long they last, and nobody waits for it.
SET lock_timeout = 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_feed ON events (feed_caller, feed_position)
WHERE feed_position IS NOT NULL;
SET lock_timeout = '1s';
CREATE SEQUENCE IF NOT EXISTS feed_positions;
-- How far the events of a caller have left for the archive.
CREATE TABLE IF NOT EXISTS feed_left (
    caller   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);
-- Transactions end in another order than that of their positions. Whoever may have taken one holds this lock until its
-- end, so that a reader knows which positions are still open. The role that runs the program has no rights of sequences.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION feed_event() RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(8243103963153916162);
    NEW.feed_position := nextval('feed_positions');
    NEW.feed_caller := COALESCE((SELECT caller FROM orders WHERE key = NEW.order_key), 'operator');
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION feed_end() RETURNS BIGINT LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM feed_positions);
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION feed_leaves() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO feed_left (caller, position)
    SELECT feed_caller, MAX(feed_position) FROM gone WHERE feed_position IS NOT NULL GROUP BY feed_caller
    ON CONFLICT (caller) DO UPDATE SET position = GREATEST(feed_left.position, excluded.position);
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- Both triggers or none: what has a position is written down when it leaves.
-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgname = 'events_feed') THEN
        CREATE TRIGGER events_feed BEFORE INSERT ON events
        FOR EACH ROW WHEN (NEW.endpoint = '') EXECUTE FUNCTION feed_event();
        CREATE TRIGGER events_feed_leaves AFTER DELETE ON events
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION feed_leaves();
    END IF;
END $$;
-- +goose StatementEnd
