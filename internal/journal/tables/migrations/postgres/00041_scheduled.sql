-- Open orders by the time they are scheduled for: the overview looks for the one that has waited for longest. The index
-- is built while others write, which no transaction can do. So each statement can be repeated after an interruption.

-- +goose NO TRANSACTION
-- +goose Up
-- What is left of an interrupted build is no index.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('orders_scheduled') AND NOT indisvalid) THEN
        DROP INDEX orders_scheduled;
    END IF;
END $$;
-- +goose StatementEnd
-- The build waits for the transactions of others, however long they last, and nobody waits for it.
SET lock_timeout = 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_scheduled ON orders (process_at)
WHERE process_at IS NOT NULL AND finished_at IS NULL;
SET lock_timeout = '1s';
