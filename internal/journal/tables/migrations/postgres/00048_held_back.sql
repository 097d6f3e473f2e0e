-- An operator keeps an order that waits from being bought. Its index is built while others write orders, which no
-- transaction can do. So each statement can be repeated after an interruption.

-- +goose NO TRANSACTION
-- +goose Up
-- Since when; NULL for all others. A process that knows nothing of it cannot begin an attempt of such an order either.
ALTER TABLE orders ADD COLUMN IF NOT EXISTS held_back_at BIGINT;
-- NOT VALID spares the reading of all orders: none is held back yet.
-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = 'orders'::regclass AND conname = 'orders_held_back') THEN
        ALTER TABLE orders ADD CONSTRAINT orders_held_back
            CHECK (held_back_at IS NULL OR state <> 'submitting') NOT VALID;
    END IF;
END $$;
-- +goose StatementEnd
-- What is left of an interrupted build is no index.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('orders_waits') AND NOT indisvalid) THEN
        DROP INDEX orders_waits;
    END IF;
END $$;
-- +goose StatementEnd
-- The build waits for the transactions of others, however long they last, and nobody waits for it.
SET lock_timeout = 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_waits ON orders (waits_for, created_at, key) WHERE waits_for <> '';
SET lock_timeout = '1s';
