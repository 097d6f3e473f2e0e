-- name: acts
SELECT a.key, a.act, a.at, a.by_whom, a.role, a.via, a.address, a.action, a.target, a.order_id, a.detail, a.reason,
    (SELECT COUNT(*) FROM audit n WHERE n.act = a.act)
FROM audit a
WHERE a.opens = 1 AND a.key < $1 AND a.at >= $2 AND a.at < $3 AND ($4 = '' OR a.by_whom = $4)
    AND ($5 = '' OR a.action = $5) AND ($6 = '' OR a.via = $6)
ORDER BY a.key DESC LIMIT $7

-- What was done to one thing, also as one of many.
-- name: acts_on
SELECT a.key, a.act, a.at, a.by_whom, a.role, a.via, a.address, a.action, a.target, a.order_id, a.detail, a.reason,
    (SELECT COUNT(*) FROM audit n WHERE n.act = a.act)
FROM audit a
WHERE (a.target = $8 OR a.order_id = $8 AND a.order_id <> '') AND a.key < $1 AND a.at >= $2 AND a.at < $3
    AND ($4 = '' OR a.by_whom = $4) AND ($5 = '' OR a.action = $5) AND ($6 = '' OR a.via = $6)
ORDER BY a.key DESC LIMIT $7

-- What was done to an order, and to its events. Only that order's part of audit_order is read.
-- name: acts_on_order
SELECT at, by_whom, role, via, action, target, detail, reason
FROM (SELECT * FROM audit WHERE order_id = $1 AND order_id <> '' ORDER BY key DESC LIMIT $2) latest
ORDER BY key

-- The things that one action changed.
-- name: things_of_act
SELECT a.key, a.act, a.at, a.by_whom, a.role, a.via, a.address, a.action, a.target, a.order_id, a.detail, a.reason, 1
FROM audit a
WHERE a.act = $8 AND a.key < $1 AND a.at >= $2 AND a.at < $3 AND ($4 = '' OR a.by_whom = $4)
    AND ($5 = '' OR a.action = $5) AND ($6 = '' OR a.via = $6)
ORDER BY a.key DESC LIMIT $7

