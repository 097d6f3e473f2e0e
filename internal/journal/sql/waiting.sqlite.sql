-- groups are the foremost orders of each priority, caller and product: each is one step in the index from the one before,
-- however many wait in between.
-- name: waiting
WITH RECURSIVE groups(key, line, caller, product) AS (
    SELECT * FROM (SELECT key, line, caller, product FROM orders WHERE line >= 0
        ORDER BY line, caller, product, key LIMIT 1)
    UNION ALL
    SELECT next.key, next.line, next.caller, next.product
    FROM groups AS g JOIN orders AS next ON next.key = COALESCE(
        (SELECT key FROM orders WHERE line = g.line AND caller = g.caller AND product > g.product
            ORDER BY product, key LIMIT 1),
        (SELECT key FROM orders WHERE line = g.line AND caller > g.caller ORDER BY caller, product, key LIMIT 1),
        (SELECT key FROM orders WHERE line > g.line ORDER BY line, caller, product, key LIMIT 1))
    LIMIT $3
)
SELECT o.id, o.line, o.caller, o.product, o.amount, o.attempt_count, o.key
FROM groups AS g CROSS JOIN orders AS o ON o.line = g.line AND o.caller = g.caller AND o.product = g.product
    AND o.key <= (SELECT MAX(key) FROM (
        SELECT key FROM orders WHERE line = g.line AND caller = g.caller AND product = g.product
        ORDER BY key LIMIT (SELECT MAX(1, MIN($1, $2 / MAX(1, COUNT(*)))) FROM groups)))
ORDER BY g.line, g.caller, g.product, o.key
