-- +goose Up
-- What may have moved the balance beside an order that is unknown: attempts in doubt, and those that were settled since.
CREATE INDEX orders_doubtful ON orders (updated_at) WHERE unknown_attempts > 0;
CREATE INDEX resolutions_decided ON resolutions (decided_at);
