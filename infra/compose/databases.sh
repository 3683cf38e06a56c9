#!/bin/sh
# Run once by PostgreSQL's image, over an empty volume: a role and a database for MLflow, and one for the ledger.
set -eu

for name in mlflow dermacare; do
    case $name in mlflow) secret=mlflow-database ;; *) secret=ledger-database ;; esac
    psql --username postgres --set ON_ERROR_STOP=1 --set role="$name" --set password="$(cat /run/secrets/$secret)" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE CONNECT ON DATABASE :"role" FROM PUBLIC;
SQL
done
