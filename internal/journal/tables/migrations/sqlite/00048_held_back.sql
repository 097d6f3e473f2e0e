-- An operator keeps an order that waits from being bought.

-- +goose Up
-- Since when; NULL for all others. A process that knows nothing of it cannot begin an attempt of such an order either.
ALTER TABLE orders ADD COLUMN held_back_at INTEGER CHECK (held_back_at IS NULL OR state <> 'submitting');
CREATE INDEX orders_waits ON orders (waits_for, created_at) WHERE waits_for <> '';
