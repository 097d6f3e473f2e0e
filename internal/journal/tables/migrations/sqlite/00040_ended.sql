-- How many orders ended when, and how: what an overview of a week would otherwise count row by row.

-- +goose Up
CREATE TABLE ended (
    -- In seconds: how long it lasts, 60 or 3600, and its beginning since 1970.
    span   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    state  TEXT    NOT NULL,
    writer INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    PRIMARY KEY (span, at, state, writer)
) STRICT, WITHOUT ROWID;
INSERT INTO ended (span, at, state, writer, orders)
SELECT 3600, finished_at / 3600000000 * 3600, state, -1, COUNT(*) FROM orders
WHERE finished_at >= (unixepoch() - 691200) * 1000000
GROUP BY 2, 3;
INSERT INTO ended (span, at, state, writer, orders)
SELECT 60, finished_at / 60000000 * 60, state, -1, COUNT(*) FROM orders
WHERE finished_at >= (unixepoch() - 7200) * 1000000
GROUP BY 2, 3;
-- The tallies change once a commit, whatever release of the program writes.
-- +goose StatementBegin
CREATE TRIGGER tallies_begun AFTER INSERT ON tallies
BEGIN
    INSERT INTO ended (span, at, state, writer, orders)
    VALUES (60, unixepoch() / 60 * 60, NEW.state, NEW.writer, NEW.orders),
        (3600, unixepoch() / 3600 * 3600, NEW.state, NEW.writer, NEW.orders)
    ON CONFLICT (span, at, state, writer) DO UPDATE SET orders = orders + excluded.orders;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER tallies_changed AFTER UPDATE ON tallies
BEGIN
    INSERT INTO ended (span, at, state, writer, orders)
    VALUES (60, unixepoch() / 60 * 60, NEW.state, NEW.writer, NEW.orders - OLD.orders),
        (3600, unixepoch() / 3600 * 3600, NEW.state, NEW.writer, NEW.orders - OLD.orders)
    ON CONFLICT (span, at, state, writer) DO UPDATE SET orders = orders + excluded.orders;
END;
-- +goose StatementEnd
-- Once an hour what is too old to be shown goes.
-- +goose StatementBegin
CREATE TRIGGER ended_hour AFTER INSERT ON ended WHEN NEW.span = 3600
BEGIN
    DELETE FROM ended WHERE span = 60 AND at < NEW.at - 7200;
    DELETE FROM ended WHERE span = 3600 AND at < NEW.at - 691200;
END;
-- +goose StatementEnd
