-- name: versioned
SELECT COUNT(to_regclass('goose_db_version'))

-- name: bound_locks
SET lock_timeout = '1s'

-- name: unbound_locks
RESET lock_timeout
