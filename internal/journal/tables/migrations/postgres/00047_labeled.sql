-- The orders that were there before there were labels.

-- +goose Up
INSERT INTO order_labels (name, value, placed_at, order_key)
SELECT m.key, m.value, o.created_at, o.key FROM orders o, json_each_text(o.metadata::json) AS m
WHERE o.metadata <> '' AND o.metadata <> '{}' AND length(m.key) <= 100 AND length(m.value) <= 200
ON CONFLICT DO NOTHING;
