-- groups are the foremost orders of each priority, caller and product: each is one step in the index from the one before,
-- however many wait in between.
-- name: waiting
WITH RECURSIVE groups AS (
    (SELECT line, caller, product FROM orders WHERE line >= 0 ORDER BY line, caller, product, key LIMIT 1)
    UNION ALL
    SELECT next.* FROM groups AS g CROSS JOIN LATERAL (
        SELECT line, caller, product FROM orders
        WHERE line >= 0 AND (line, caller, product) > (g.line, g.caller, g.product)
        ORDER BY line, caller, product, key LIMIT 1) AS next
),
few AS MATERIALIZED (SELECT * FROM groups LIMIT $3)
SELECT o.* FROM few CROSS JOIN LATERAL (
    SELECT id, line, caller, product, amount, attempt_count, key FROM orders
    WHERE line = few.line AND caller = few.caller AND product = few.product
    ORDER BY key LIMIT (SELECT GREATEST(1, LEAST($1::bigint, $2::bigint / COUNT(*))) FROM few)) AS o
ORDER BY o.line, o.caller, o.product, o.key
