-- Orders are found by what their caller noted of them (their metadata).

-- +goose Up
-- One row for each name and value of an order's metadata; longer ones are not found. Sorted as lists are.
CREATE TABLE order_labels (
    name       TEXT COLLATE "C" NOT NULL,
    value      TEXT COLLATE "C" NOT NULL,
    placed_at  BIGINT NOT NULL,
    order_key  BIGINT NOT NULL,
    PRIMARY KEY (name, value, placed_at, order_key)
);
CREATE INDEX order_labels_order ON order_labels (order_key);
-- +goose StatementBegin
CREATE FUNCTION label_order() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO order_labels (name, value, placed_at, order_key)
    SELECT m.key, m.value, NEW.created_at, NEW.key FROM json_each_text(NEW.metadata::json) AS m
    WHERE length(m.key) <= 100 AND length(m.value) <= 200
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION unlabel_order() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    DELETE FROM order_labels WHERE order_key = OLD.key;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER orders_labels AFTER INSERT ON orders
FOR EACH ROW WHEN (NEW.metadata <> '' AND NEW.metadata <> '{}') EXECUTE FUNCTION label_order();
CREATE TRIGGER orders_labels_changed AFTER UPDATE OF metadata ON orders
FOR EACH ROW WHEN (NEW.metadata <> OLD.metadata AND NEW.metadata <> '') EXECUTE FUNCTION label_order();
CREATE TRIGGER orders_labels_leave AFTER DELETE ON orders
FOR EACH ROW WHEN (OLD.metadata <> '' AND OLD.metadata <> '{}') EXECUTE FUNCTION unlabel_order();
