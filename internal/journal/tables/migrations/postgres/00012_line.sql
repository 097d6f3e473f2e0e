-- Orders that cannot be bought now stand in line.

-- +goose Up
-- 0 high, 1 normal, 2 bulk.
ALTER TABLE orders ADD COLUMN priority SMALLINT NOT NULL DEFAULT 1;
-- NULL for one that does not stand in line, its priority for one that does, -1 for one whose turn has come.
ALTER TABLE orders ADD COLUMN line SMALLINT;
ALTER TABLE orders ADD COLUMN waits_for TEXT NOT NULL DEFAULT '';
CREATE INDEX orders_line ON orders (line, caller, product, key) WHERE line IS NOT NULL;
