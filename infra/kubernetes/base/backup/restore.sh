#!/bin/sh
# Bring every dump in $BACKUP_FOLDER back into the database of its name, whole or not at all; what is in it is lost. The database and
# its roles are there already (infra/kubernetes/postgresql/databases.sql). Runs after backup.py has checked and fetched the dumps.
set -eu
for dump in "$BACKUP_FOLDER"/*.dump; do
    pg_restore --clean --if-exists --exit-on-error --single-transaction --dbname="$(basename "$dump" .dump)" "$dump"
done
