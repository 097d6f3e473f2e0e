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

-- name: rights
SELECT current_user::text, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    pg_has_role(v.relowner, 'USAGE'),
    COALESCE((SELECT string_agg(p || ' on ' || c.relname, ', ' ORDER BY c.relname, p)
        FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = v.relnamespace AND c.relowner = v.relowner
            AND (c.oid <> v.oid OR p = 'SELECT') AND NOT has_table_privilege(c.oid, p)), ''),
    has_table_privilege(v.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
FROM pg_class v WHERE v.oid = to_regclass('goose_db_version')
