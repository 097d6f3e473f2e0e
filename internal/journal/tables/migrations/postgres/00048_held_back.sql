-- An operator keeps an order that waits from being bought.

-- +goose Up
-- NOT VALID spares the reading of all orders: none is held back yet.
-- Since when; NULL for all others. A process that knows nothing of it cannot begin an attempt of such an order either.
ALTER TABLE orders ADD COLUMN held_back_at BIGINT,
    ADD CONSTRAINT orders_held_back CHECK (held_back_at IS NULL OR state <> 'submitting') NOT VALID;
CREATE INDEX orders_waits ON orders (waits_for, created_at, key) WHERE waits_for <> '';
