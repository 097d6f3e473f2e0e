-- +goose Up
-- A commit in this process is never in doubt for a lost connection, and there is no standby: PostgreSQL alone has a table of
-- commits.
SELECT 1;
