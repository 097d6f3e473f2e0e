-- name: quick_check
PRAGMA quick_check(1)

-- name: tables
SELECT COUNT(*) FROM sqlite_master WHERE name = 'goose_db_version'
