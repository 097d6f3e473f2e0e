-- Who did what, when, from where and why: one row for each thing that an action changed, written with the change.

-- +goose Up
CREATE TABLE audit (
    key      INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The action's id. opens is 1 for the first row of an action, and 0 for the others.
    act      TEXT    NOT NULL,
    opens    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    by_whom  TEXT    NOT NULL,
    role     TEXT    NOT NULL,
    -- api, console, cli or local, and the client's address.
    via      TEXT    NOT NULL,
    address  TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    -- What was changed, and of which order that is; empty: of none.
    target   TEXT    NOT NULL,
    order_id TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    UNIQUE (act, target, order_id)
) STRICT;
CREATE INDEX audit_opens ON audit (opens, key);
CREATE INDEX audit_target ON audit (target, key);
CREATE INDEX audit_order ON audit (order_id, key) WHERE order_id <> '';
-- Rows are added, and nothing else.
-- +goose StatementBegin
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;
-- +goose StatementEnd
