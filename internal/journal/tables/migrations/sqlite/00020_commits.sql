-- +goose Up
-- No connection is lost in this process, and there is no standby: PostgreSQL alone has a table of commits.
SELECT 1;
