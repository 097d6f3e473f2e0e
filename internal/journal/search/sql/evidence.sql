-- What is known of the balance around an attempt, from $1, when it began, and $2, when it ended; from $3, when it cannot
-- be charged any more; between $4 and $5. A kept reading may be as old as $6 says.
-- name: readings
SELECT * FROM (SELECT 0 AS place, o.id, o.amount, a.started_at, a.finished_at, o.balance_after
    FROM orders o JOIN attempts a ON a.order_key = o.key AND a.number = o.attempt_count
    WHERE o.finished_at > $4 AND o.finished_at <= $1 AND o.state = 'succeeded' AND o.balance_after <> ''
        AND a.outcome = 'approved' AND a.finished_at <= $1
    ORDER BY o.finished_at DESC LIMIT 12) before_it
UNION ALL
SELECT * FROM (SELECT 1 AS place, o.id, o.amount, a.started_at, a.finished_at, o.balance_after
    FROM orders o JOIN attempts a ON a.order_key = o.key AND a.number = o.attempt_count
    WHERE o.finished_at >= $2 AND o.finished_at < $5 AND o.state = 'succeeded' AND o.balance_after <> ''
        AND a.outcome = 'approved' AND a.started_at >= $2
    ORDER BY o.finished_at LIMIT 1) after_it
UNION ALL
SELECT * FROM (SELECT 2 AS place, o.id, o.amount, a.started_at, a.finished_at, o.balance_after
    FROM orders o JOIN attempts a ON a.order_key = o.key AND a.number = o.attempt_count
    WHERE o.finished_at >= $3 AND o.finished_at < $5 AND o.state = 'succeeded' AND o.balance_after <> ''
        AND a.outcome = 'approved' AND a.started_at >= $3
    ORDER BY o.finished_at LIMIT 1) late
UNION ALL
SELECT * FROM (SELECT 3 AS place, '' AS id, amount, at - $6 AS started_at, at, '' AS balance_after FROM balances
    WHERE minute >= $4 / 60000000 AND minute <= $1 / 60000000 AND at <= $1
    ORDER BY minute DESC LIMIT 1) kept_before
UNION ALL
SELECT * FROM (SELECT 4 AS place, '' AS id, amount, at - $6 AS started_at, at, '' AS balance_after FROM balances
    WHERE minute >= (CAST($2 AS BIGINT) + $6) / 60000000 AND minute <= $5 / 60000000 AND at >= CAST($2 AS BIGINT) + $6
    ORDER BY minute LIMIT 1) kept_after
UNION ALL
SELECT * FROM (SELECT 5 AS place, '' AS id, amount, at - $6 AS started_at, at, '' AS balance_after FROM balances
    WHERE minute >= (CAST($3 AS BIGINT) + $6) / 60000000 AND minute <= $5 / 60000000 AND at >= CAST($3 AS BIGINT) + $6
    ORDER BY minute LIMIT 1) kept_late

-- The attempts that may have moved the balance between $1 and $2, but attempt $4 of order $3, and $5 of them at most.
-- An attempt in doubt may have been charged for $6 after its end. An answer comes within $7.
-- name: movements
SELECT * FROM (SELECT o.id, o.amount, 1 AS approved, a.started_at, a.finished_at
    FROM orders o JOIN attempts a ON a.order_key = o.key
    WHERE o.finished_at >= $1 AND o.finished_at <= CAST($2 AS BIGINT) + $7 AND o.state = 'succeeded' AND a.outcome = 'approved'
        AND a.started_at < $2
    LIMIT $5) approved
UNION ALL
SELECT * FROM (SELECT o.id, o.amount, 0 AS approved, a.started_at, a.finished_at
    FROM orders o JOIN attempts a ON a.order_key = o.key
    WHERE o.unknown_attempts > 0 AND o.updated_at >= CAST($1 AS BIGINT) - $6 AND a.outcome = 'unknown' AND a.started_at < $2
        AND a.finished_at >= CAST($1 AS BIGINT) - $6 AND (o.id <> $3 OR a.number <> $4)
    LIMIT $5) in_doubt
UNION ALL
SELECT * FROM (SELECT o.id, o.amount, 0 AS approved, a.started_at, a.finished_at
    FROM orders o JOIN attempts a ON a.order_key = o.key AND a.number = o.attempt_count
    WHERE o.finished_at IS NULL AND o.state = 'submitting' AND a.started_at < $2
    LIMIT $5) under_way
UNION ALL
SELECT * FROM (SELECT o.id, o.amount, 0 AS approved, a.started_at, a.finished_at
    FROM resolutions r JOIN orders o ON o.key = r.order_key
    JOIN attempts a ON a.order_key = r.order_key AND a.outcome = 'unknown'
    WHERE r.decided_at >= $1 AND r.outcome = 'succeeded' AND o.unknown_attempts = 0 AND a.started_at < $2
        AND a.finished_at >= CAST($1 AS BIGINT) - $6
    LIMIT $5) resolved

-- name: archived_since
SELECT COUNT(*) FROM archive_members WHERE created_until >= $1
