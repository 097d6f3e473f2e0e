-- +goose Up
-- The vendor's names of a purchase, which a person at the telephone has.
CREATE INDEX orders_transaction ON orders (transaction_id) WHERE transaction_id <> '';
CREATE INDEX orders_reference ON orders (reference) WHERE reference <> '';
-- Lists of the few that did not succeed: by their time alone, all others are read on the way.
CREATE INDEX orders_ended ON orders (state, created_at) WHERE state IN ('failed', 'canceled');
