-- name: versioned
SELECT COUNT(to_regclass('goose_db_version'))
