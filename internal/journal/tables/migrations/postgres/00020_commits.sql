-- +goose Up
-- One row for each process that writes: the number of its latest commit. It is part of every transaction. So none is
-- without a change of its own, and all wait for a synchronous standby, whatever they answer; and a process whose
-- connection is lost during a COMMIT reads here whether it happened.
CREATE TABLE commits (
    writer BIGINT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    -- The latest that was asked about. If it had not happened by then, it fails.
    asked  BIGINT NOT NULL DEFAULT 0,
    at     BIGINT NOT NULL
) WITH (fillfactor = 50);
