-- What may have moved the balance beside an order that is unknown: attempts in doubt, and those that were settled since.
-- The indexes are built while others write orders, which no transaction can do. So each statement can be repeated after
-- an interruption.

-- +goose NO TRANSACTION
-- +goose Up
-- What is left of an interrupted build is no index.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('orders_doubtful') AND NOT indisvalid) THEN
        DROP INDEX orders_doubtful;
    END IF;
END $$;
-- +goose StatementEnd
-- The build waits for the transactions of others, however long they last, and nobody waits for it.
SET lock_timeout = 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_doubtful ON orders (updated_at) WHERE unknown_attempts > 0;
SET lock_timeout = '1s';
CREATE INDEX IF NOT EXISTS resolutions_decided ON resolutions (decided_at);
