-- Open orders by the time they are scheduled for: the overview looks for the one that has waited for longest.

-- +goose Up
CREATE INDEX orders_scheduled ON orders (process_at) WHERE process_at IS NOT NULL AND finished_at IS NULL;
