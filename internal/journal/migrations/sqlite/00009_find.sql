-- +goose Up
-- The vendor's names of a purchase, which a person at the telephone has.
CREATE INDEX orders_transaction ON orders (transaction_id) WHERE transaction_id <> '';
CREATE INDEX orders_reference ON orders (reference) WHERE reference <> '';
