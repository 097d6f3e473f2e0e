-- In PostgreSQL, only the owner of the tables writes down which migrations have been done. SQLite has no roles.

-- +goose Up
SELECT 1;
