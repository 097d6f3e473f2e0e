-- name: server_version
SELECT current_setting('server_version_num')::int, current_setting('server_version')

-- name: durability
SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
    current_setting('synchronous_standby_names') <> ''

-- name: plan_once
SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off;
SET enable_mergejoin = off

-- name: set
SELECT set_config($1, $2, false)

-- name: started
SELECT pg_postmaster_start_time()::text

-- name: timeline
SELECT (pg_control_system()).system_identifier::text, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)

-- name: backend
SELECT pg_backend_pid()::text
