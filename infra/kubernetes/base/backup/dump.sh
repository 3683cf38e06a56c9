#!/bin/sh
# Dump every database of $BACKUP_DATABASES into $BACKUP_FOLDER, each as it was at one moment. Where PostgreSQL is, and as whom to ask,
# stands in PG* variables. Runs before backup.py: files that a dump speaks of are then there when files are copied.
set -eu
for database in $BACKUP_DATABASES; do
    pg_dump --format=custom --file="$BACKUP_FOLDER/$database.dump" --dbname="$database"
done
