-- name: failing
INSERT INTO failing_endpoints (caller, url, failing_since, last_failed_at)
VALUES ($1, $2, $3, $3)
ON CONFLICT (caller, url) DO UPDATE SET last_failed_at = excluded.last_failed_at, failing_since = CASE
    WHEN failing_endpoints.disabled_at IS NULL
    AND failing_endpoints.last_failed_at < $4 THEN excluded.failing_since
    ELSE failing_endpoints.failing_since END
RETURNING failing_since

-- name: disable
INSERT INTO failing_endpoints (caller, url, failing_since, last_failed_at, disabled_at, reason)
VALUES ($1, $2, $3, $3, $3, $4)
ON CONFLICT (caller, url) DO UPDATE SET disabled_at = excluded.disabled_at, reason = excluded.reason
WHERE failing_endpoints.disabled_at IS NULL

-- name: healthy
DELETE FROM failing_endpoints WHERE caller = $1 AND url = $2

-- name: health
SELECT failing_since, last_failed_at, disabled_at, reason FROM failing_endpoints WHERE caller = $1 AND url = $2

-- name: all_health
SELECT caller, url, failing_since, last_failed_at, disabled_at, reason FROM failing_endpoints

-- name: disabled
SELECT COUNT(*) FROM failing_endpoints WHERE disabled_at IS NOT NULL

-- name: failing_long
SELECT COUNT(*) FROM failing_endpoints WHERE disabled_at IS NULL AND failing_since <= $1 AND last_failed_at >= $2

-- name: delivered_to
SELECT COUNT(*)
FROM (SELECT 1 FROM events e JOIN orders o ON o.key = e.order_key WHERE o.caller = $1 AND e.endpoint = $2
    AND e.delivered_at >= $3 LIMIT 1) one
