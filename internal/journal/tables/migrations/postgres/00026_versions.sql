-- Only the owner of the tables writes down which migrations have been done: who may do so without being it, can have a
-- program take older tables for new ones.

-- +goose Up
-- +goose StatementBegin
DO $$
DECLARE
    grantee oid;
BEGIN
    FOR grantee IN
        SELECT DISTINCT acl.grantee FROM pg_class v CROSS JOIN aclexplode(v.relacl) AS acl
        WHERE v.oid = to_regclass('goose_db_version') AND acl.grantee <> v.relowner AND acl.privilege_type <> 'SELECT'
    LOOP
        EXECUTE 'REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON goose_db_version FROM '
            || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END;
    END LOOP;
END $$;
-- +goose StatementEnd
