-- name: act
INSERT INTO audit (act, opens, at, by_whom, role, via, address, action, target, order_id, detail, reason)
VALUES ($1, CASE WHEN EXISTS (SELECT 1 FROM audit WHERE act = $1) THEN 0 ELSE 1 END,
    $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (act, target, order_id) DO NOTHING
