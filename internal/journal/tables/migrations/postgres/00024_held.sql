-- An order that waits and that a statement charges is held, and not sent again.

-- +goose Up
-- Since when a statement holds an order; NULL for all others.
ALTER TABLE orders ADD COLUMN held_at BIGINT,
    ADD CONSTRAINT orders_held_unknown CHECK (held_at IS NULL OR state = 'unknown');
