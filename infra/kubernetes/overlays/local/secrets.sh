#!/usr/bin/env bash
# Make every secret of the local overlay, with passwords that nobody chose. Once: what PostgreSQL and MLflow were first started with
# stays. `KUBECTL="kubectl --context kind-dermacare"` names another cluster.
set -euo pipefail
kubectl=${KUBECTL:-kubectl}

word() { head -c 24 /dev/urandom | base64 | tr '+/' 'xy'; }
secret() { $kubectl -n dermacare create secret generic "$@"; }

mlflow=$(word) steps=$(word) serve=$(word) backup=$(word) s3_key=$(word) s3_secret=$(word) user_steps=$(word) user_serve=$(word)
server=postgresql:5432/dermacare
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
key=$(word)
printf '%s local\n' "$(printf %s "$key" | sha256sum | cut -d' ' -f1)" > "$folder/keys"
openssl genpkey -algorithm ed25519 -out "$folder/signing.key"

secret dermacare-postgresql-admin --from-literal=POSTGRES_PASSWORD="$(word)" \
    --from-literal=DERMACARE_MLFLOW_PASSWORD="$mlflow" --from-literal=DERMACARE_STEPS_PASSWORD="$steps" \
    --from-literal=DERMACARE_SERVE_PASSWORD="$serve" --from-literal=DERMACARE_BACKUP_PASSWORD="$backup"
secret dermacare-postgresql --from-literal=PGPASSWORD="$mlflow"
secret dermacare-s3 --from-literal=AWS_ACCESS_KEY_ID="$s3_key" --from-literal=AWS_SECRET_ACCESS_KEY="$s3_secret"
secret dermacare-mlflow-admin --from-literal=MLFLOW_AUTH_ADMIN_USERNAME=admin --from-literal=MLFLOW_AUTH_ADMIN_PASSWORD="$(word)"
secret dermacare-tracking --from-literal=MLFLOW_TRACKING_USERNAME=steps --from-literal=MLFLOW_TRACKING_PASSWORD="$user_steps"
secret dermacare-ledger --from-literal=DERMACARE_LEDGER="postgresql+psycopg://dermacare_steps:$steps@$server"
secret dermacare-serve --from-literal=MLFLOW_TRACKING_USERNAME=serve --from-literal=MLFLOW_TRACKING_PASSWORD="$user_serve" \
    --from-literal=DERMACARE_LEDGER="postgresql+psycopg://dermacare_serve:$serve@$server" \
    --from-literal=DERMACARE_PREDICTIONS="postgresql+psycopg://dermacare_serve:$serve@$server"
secret dermacare-backup --from-literal=PGPASSWORD="$backup" \
    --from-literal=BACKUP_ACCESS_KEY_ID="$s3_key" --from-literal=BACKUP_SECRET_ACCESS_KEY="$s3_secret"
secret dermacare-signing-key --from-file=signing.key="$folder/signing.key"
secret dermacare-api-keys --from-file=keys="$folder/keys"
echo "the key of DermaCare's API, shown this once: $key"
