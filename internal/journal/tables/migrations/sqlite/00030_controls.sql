-- What people have set at run time: pauses, and limits in the place of those of the settings.

-- +goose Up
CREATE TABLE controls (
    -- A pause of purchases, webhooks, caller, product or operator; or a limit: rate or concurrency.
    kind    TEXT NOT NULL,
    -- The caller, product or operator; empty for the others.
    name    TEXT NOT NULL,
    -- That of a limit; empty for a pause.
    value   TEXT NOT NULL,
    since   INTEGER NOT NULL,
    by_whom TEXT NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
