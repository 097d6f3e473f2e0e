-- +goose Up
-- Lists by the distributor's code and by why orders failed. The codes of nearly all orders are left out.
CREATE INDEX orders_code ON orders (response_code, created_at) WHERE response_code NOT IN ('', '00');
CREATE INDEX orders_reason ON orders (reason, created_at) WHERE reason <> '';
