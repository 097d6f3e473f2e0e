-- +goose Up
-- The given up ones are few, and are what is looked for.
CREATE INDEX events_exhausted ON events (id) WHERE state = 'exhausted';
