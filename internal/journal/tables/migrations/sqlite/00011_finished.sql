-- +goose Up
-- Orders by their end: what a statement of a month must name.
CREATE INDEX orders_finished ON orders (finished_at) WHERE finished_at IS NOT NULL;
