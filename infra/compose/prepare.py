"""Makes MLflow's bucket and the user as whom the web app reads, where they are not there yet; can be run again."""

import os
from pathlib import Path

import boto3
from mlflow.exceptions import RestException
from mlflow.server import get_app_client

BUCKET = "mlflow"
USER = "dermacare"


def main() -> None:
    """Settings are those of the service `prepare` in compose.yaml."""
    s3 = boto3.client("s3")
    if BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)
    users = get_app_client("basic-auth", os.environ["MLFLOW_TRACKING_URI"])
    try:
        users.get_user(USER)
    except RestException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        users.create_user(USER, Path("/run/secrets/mlflow-dermacare").read_text(encoding="ascii").strip())


if __name__ == "__main__":
    main()
