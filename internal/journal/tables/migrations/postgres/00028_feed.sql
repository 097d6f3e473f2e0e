-- Each caller's events in the order in which they were made, for those who cannot receive webhooks.

-- +goose Up
-- Whose feed an event is in, and where; NULL for one that was made before there were feeds, and for the copies that
-- further endpoints get.
ALTER TABLE events ADD COLUMN feed_caller TEXT COLLATE "C", ADD COLUMN feed_position BIGINT;
CREATE INDEX events_feed ON events (feed_caller, feed_position) WHERE feed_position IS NOT NULL;
CREATE SEQUENCE feed_positions;
-- How far the events of a caller have left for the archive.
CREATE TABLE feed_left (
    caller   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);
-- Transactions end in another order than that of their positions. Whoever may have taken one holds this lock until its
-- end, so that a reader knows which positions are still open. The role that runs the program has no rights of sequences.
-- +goose StatementBegin
CREATE FUNCTION feed_event() RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(8243103963153916162);
    NEW.feed_position := nextval('feed_positions');
    NEW.feed_caller := COALESCE((SELECT caller FROM orders WHERE key = NEW.order_key), 'operator');
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION feed_end() RETURNS BIGINT LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM feed_positions);
END $$;
-- +goose StatementEnd
CREATE TRIGGER events_feed BEFORE INSERT ON events
FOR EACH ROW WHEN (NEW.endpoint = '') EXECUTE FUNCTION feed_event();
-- +goose StatementBegin
CREATE FUNCTION feed_leaves() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO feed_left (caller, position)
    SELECT feed_caller, MAX(feed_position) FROM gone WHERE feed_position IS NOT NULL GROUP BY feed_caller
    ON CONFLICT (caller) DO UPDATE SET position = GREATEST(feed_left.position, excluded.position);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER events_feed_leaves AFTER DELETE ON events
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION feed_leaves();
