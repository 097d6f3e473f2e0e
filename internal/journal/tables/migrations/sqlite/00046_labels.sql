-- Orders are found by what their caller noted of them (their metadata).

-- +goose Up
-- One row for each name and value of an order's metadata; longer ones are not found. Sorted as lists are.
CREATE TABLE order_labels (
    name       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    placed_at  INTEGER NOT NULL,
    order_key  INTEGER NOT NULL,
    PRIMARY KEY (name, value, placed_at, order_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX order_labels_order ON order_labels (order_key);
-- +goose StatementBegin
CREATE TRIGGER orders_labels AFTER INSERT ON orders WHEN NEW.metadata <> '' AND NEW.metadata <> '{}'
BEGIN
    INSERT INTO order_labels (name, value, placed_at, order_key)
    SELECT m.key, m.value, NEW.created_at, NEW.key FROM json_each(NEW.metadata) AS m
    WHERE length(m.key) <= 100 AND length(m.value) <= 200
    ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER orders_labels_changed AFTER UPDATE OF metadata ON orders
WHEN NEW.metadata <> OLD.metadata AND NEW.metadata <> ''
BEGIN
    INSERT INTO order_labels (name, value, placed_at, order_key)
    SELECT m.key, m.value, NEW.created_at, NEW.key FROM json_each(NEW.metadata) AS m
    WHERE length(m.key) <= 100 AND length(m.value) <= 200
    ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER orders_labels_leave AFTER DELETE ON orders WHEN OLD.metadata <> '' AND OLD.metadata <> '{}'
BEGIN
    DELETE FROM order_labels WHERE order_key = OLD.key;
END;
-- +goose StatementEnd
