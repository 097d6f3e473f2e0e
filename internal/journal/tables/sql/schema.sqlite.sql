-- name: versioned
SELECT COUNT(*) FROM sqlite_master WHERE name = 'goose_db_version'
