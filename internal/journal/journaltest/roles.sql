CREATE ROLE recarga_owner LOGIN PASSWORD 'A SECRET';        -- owns the tables, and migrates
CREATE ROLE recarga_run LOGIN PASSWORD 'ANOTHER SECRET';    -- api, worker and serve
CREATE DATABASE recarga OWNER recarga_owner;
\connect recarga
REVOKE ALL ON DATABASE recarga FROM PUBLIC;
GRANT CONNECT ON DATABASE recarga TO recarga_run;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO recarga_owner;
GRANT USAGE ON SCHEMA public TO recarga_run;
ALTER DEFAULT PRIVILEGES FOR ROLE recarga_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO recarga_run;
