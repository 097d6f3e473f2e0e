-- +goose Up
-- Members of the archive's files: orders that left in one transaction, and are unpacked together.
CREATE TABLE archive_members (
    number        BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file          TEXT    NOT NULL,
    -- The member's first byte in the file.
    place         BIGINT  NOT NULL,
    orders        INTEGER NOT NULL,
    -- When the first and the last of them were placed.
    created_from  BIGINT  NOT NULL,
    created_until BIGINT  NOT NULL
);
-- Ids of orders that have left: taken for ever.
CREATE TABLE archived (
    id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    member BIGINT NOT NULL
);
-- An insert that waited for the order of its id to leave began before that order was archived, and does not see it
-- there. A volatile function looks anew; the transaction is then made again.
-- +goose StatementBegin
CREATE FUNCTION refuse_archived() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM placed JOIN archived ON archived.id = placed.id) THEN
        RAISE serialization_failure USING MESSAGE = 'the order of this id was archived at this moment';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER orders_refuse_archived AFTER INSERT ON orders
REFERENCING NEW TABLE AS placed FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived();
