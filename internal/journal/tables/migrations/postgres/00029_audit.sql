-- Who did what, when, from where and why: one row for each thing that an action changed, written with the change.

-- +goose Up
CREATE TABLE audit (
    key      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The action's id. opens is 1 for the first row of an action, and 0 for the others.
    act      TEXT COLLATE "C" NOT NULL,
    opens    BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    by_whom  TEXT NOT NULL,
    role     TEXT NOT NULL,
    -- api, console, cli or local, and the client's address.
    via      TEXT NOT NULL,
    address  TEXT NOT NULL,
    action   TEXT NOT NULL,
    -- What was changed, and of which order that is; empty: of none.
    target   TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    detail   TEXT NOT NULL,
    reason   TEXT NOT NULL,
    UNIQUE (act, target, order_id)
);
CREATE INDEX audit_opens ON audit (opens, key);
CREATE INDEX audit_target ON audit (target, key);
CREATE INDEX audit_order ON audit (order_id, key) WHERE order_id <> '';
-- Rows are added, and nothing else.
-- +goose StatementBegin
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only added to';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
