-- The database of a team, made once by an administrator of PostgreSQL (15 or newer):
--
--     DERMACARE_MLFLOW_PASSWORD=… DERMACARE_STEPS_PASSWORD=… DERMACARE_SERVE_PASSWORD=… DERMACARE_BACKUP_PASSWORD=… \
--         psql -f databases.sql
--
-- One database for all of it, so that one dump shows one moment of all: MLflow's tables in `public`, and in `dermacare` the ledger
-- and the log of predictions, which are owned by nobody who writes to them: whoever owns a table can take its triggers away.
\set ON_ERROR_STOP on
\getenv mlflow DERMACARE_MLFLOW_PASSWORD
\getenv steps DERMACARE_STEPS_PASSWORD
\getenv serve DERMACARE_SERVE_PASSWORD
\getenv backup DERMACARE_BACKUP_PASSWORD

CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE ROLE dermacare_steps LOGIN PASSWORD :'steps';
CREATE ROLE dermacare_serve LOGIN PASSWORD :'serve';
CREATE ROLE dermacare_backup LOGIN PASSWORD :'backup';

CREATE DATABASE dermacare;
REVOKE CONNECT, TEMPORARY ON DATABASE dermacare FROM PUBLIC;
GRANT CONNECT ON DATABASE dermacare TO mlflow, dermacare_steps, dermacare_serve, dermacare_backup;
\connect dermacare

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO mlflow;

-- As components/append_only.py would make them.
CREATE SCHEMA dermacare;
CREATE TABLE dermacare.ledger (
    number INTEGER NOT NULL PRIMARY KEY,
    time VARCHAR(32) NOT NULL,
    action VARCHAR(16) NOT NULL,
    hash VARCHAR(64) NOT NULL UNIQUE,
    entry TEXT NOT NULL
);
CREATE TABLE dermacare.predictions (
    id TEXT NOT NULL PRIMARY KEY,
    created TEXT NOT NULL,
    record TEXT NOT NULL
);
CREATE FUNCTION dermacare.keep_ledger() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE FUNCTION dermacare.keep_predictions() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$;
CREATE TRIGGER ledger_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON dermacare.ledger
    FOR EACH STATEMENT EXECUTE FUNCTION dermacare.keep_ledger();
CREATE TRIGGER predictions_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON dermacare.predictions
    FOR EACH STATEMENT EXECUTE FUNCTION dermacare.keep_predictions();

GRANT USAGE ON SCHEMA dermacare TO dermacare_steps, dermacare_serve;
GRANT SELECT, INSERT ON dermacare.ledger TO dermacare_steps;
GRANT SELECT ON dermacare.ledger TO dermacare_serve;
GRANT SELECT, INSERT ON dermacare.predictions TO dermacare_serve;
GRANT pg_read_all_data TO dermacare_backup;
