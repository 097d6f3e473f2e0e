-- Lists by the distributor's code and by why orders failed. The codes of nearly all orders are left out.
-- The indexes are built while others write orders, which no transaction can do. So each statement can be repeated after
-- an interruption.

-- +goose NO TRANSACTION
-- +goose Up
-- What is left of an interrupted build is no index.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('orders_code') AND NOT indisvalid) THEN
        DROP INDEX orders_code;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('orders_reason') AND NOT indisvalid) THEN
        DROP INDEX orders_reason;
    END IF;
END $$;
-- +goose StatementEnd
-- The build waits for the transactions of others, however long they last, and nobody waits for it.
SET lock_timeout = 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_code ON orders (response_code, created_at)
WHERE response_code NOT IN ('', '00');
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_reason ON orders (reason, created_at) WHERE reason <> '';
SET lock_timeout = '1s';
