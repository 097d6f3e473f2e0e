-- name: where
SELECT current_user || ' at ' || COALESCE(host(inet_server_addr()) || ':' || inet_server_port(), 'a socket')
    || '/' || current_database()

-- name: version
SELECT current_setting('server_version_num')::int

-- name: standby
SELECT pg_is_in_recovery()

-- name: clock
SELECT clock_timestamp()

-- name: connections
SELECT current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int,
(SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
