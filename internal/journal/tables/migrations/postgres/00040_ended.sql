-- How many orders ended when, and how: what an overview of a week would otherwise count row by row.

-- +goose Up
CREATE TABLE ended (
    -- In seconds: how long it lasts, 60 or 3600, and its beginning since 1970.
    span   INTEGER NOT NULL,
    at     BIGINT  NOT NULL,
    state  TEXT    NOT NULL,
    writer INTEGER NOT NULL,
    orders BIGINT  NOT NULL,
    PRIMARY KEY (span, at, state, writer)
);
INSERT INTO ended (span, at, state, writer, orders)
SELECT 3600, finished_at / 3600000000 * 3600, state, -1, COUNT(*) FROM orders
WHERE finished_at >= (EXTRACT(EPOCH FROM now())::BIGINT - 691200) * 1000000
GROUP BY 2, 3;
INSERT INTO ended (span, at, state, writer, orders)
SELECT 60, finished_at / 60000000 * 60, state, -1, COUNT(*) FROM orders
WHERE finished_at >= (EXTRACT(EPOCH FROM now())::BIGINT - 7200) * 1000000
GROUP BY 2, 3;
-- The tallies change once a commit, whatever release of the program writes. Once an hour what is too old to be shown
-- goes; what another transaction has at hand goes with the next.
-- +goose StatementBegin
CREATE FUNCTION tally_ended() RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    seconds BIGINT := floor(EXTRACT(EPOCH FROM clock_timestamp()));
    more    BIGINT := NEW.orders - COALESCE(OLD.orders, 0);
    fresh   BOOLEAN;
BEGIN
    INSERT INTO ended (span, at, state, writer, orders)
    VALUES (60, seconds / 60 * 60, NEW.state, NEW.writer, more)
    ON CONFLICT (span, at, state, writer) DO UPDATE SET orders = ended.orders + excluded.orders;
    INSERT INTO ended (span, at, state, writer, orders)
    VALUES (3600, seconds / 3600 * 3600, NEW.state, NEW.writer, more)
    ON CONFLICT (span, at, state, writer) DO UPDATE SET orders = ended.orders + excluded.orders
    RETURNING xmax = 0 INTO fresh;
    IF fresh THEN
        DELETE FROM ended WHERE ctid = ANY (ARRAY(SELECT ctid FROM ended
            WHERE span = 60 AND at < seconds - 10800 OR span = 3600 AND at < seconds - 694800
            FOR UPDATE SKIP LOCKED));
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tallies_ended AFTER INSERT OR UPDATE ON tallies FOR EACH ROW EXECUTE FUNCTION tally_ended();
