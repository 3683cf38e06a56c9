"""The local overlay without a cluster: its secrets, by the real kubectl, and its S3, by the real SeaweedFS."""

import base64
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from components.promotion.keys import own_key
from components.promotion.ledger import ReleaseLedger
from dermacare.api.keys import owner_of, read_keys
from tests.infra.kubernetes.manifests import FOLDER, KUBECTL, containers, label, overlay, template
from tests.mlflow_server import free_port, kill

KEYS = {"AWS_ACCESS_KEY_ID": "key-of-tests", "AWS_SECRET_ACCESS_KEY": "secret-of-tests"}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What secrets.sh prints where kubectl makes nothing, but says what it would make."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    command = [str(FOLDER / "overlays" / "local" / "secrets.sh")]
    wrapper = tmp_path_factory.mktemp("kubectl") / "kubectl"
    wrapper.write_text(f'#!/bin/sh\necho ---\nexec {KUBECTL} "$@" --dry-run=client --output yaml\n')
    wrapper.chmod(0o755)
    done = subprocess.run(command, env=os.environ | {"KUBECTL": str(wrapper)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def secrets(printed: str) -> dict[str, dict[str, bytes]]:
    """Secret → key → value."""
    text = "\n".join(line for line in printed.splitlines() if not line.startswith("the key of"))
    made = [one for one in yaml.safe_load_all(text) if one]
    return {one["metadata"]["name"]: {key: base64.b64decode(value) for key, value in one["data"].items()} for one in made}


def test_secrets_are_usable_and_fit_together(
    printed: str, secrets: dict[str, dict[str, bytes]], tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "keys").write_bytes(secrets["dermacare-api-keys"]["keys"])
    assert owner_of(printed.split()[-1], read_keys(tmp_path / "keys")) == "local"
    (tmp_path / "signing.key").write_bytes(secrets["dermacare-signing-key"]["signing.key"])
    monkeypatch.setenv("DERMACARE_SIGNING_KEY", str(tmp_path / "signing.key"))
    assert own_key().sign("0" * 64)
    made = secrets["dermacare-postgresql-admin"]
    assert secrets["dermacare-postgresql"]["PGPASSWORD"] == made["DERMACARE_MLFLOW_PASSWORD"]
    assert secrets["dermacare-backup"]["PGPASSWORD"] == made["DERMACARE_BACKUP_PASSWORD"]
    for secret, role in (("dermacare-ledger", "steps"), ("dermacare-serve", "serve")):
        address = secrets[secret]["DERMACARE_LEDGER"].decode()
        word = made[f"DERMACARE_{role.upper()}_PASSWORD"].decode()
        assert address == f"postgresql+psycopg://dermacare_{role}:{word}@postgresql:5432/dermacare"
        assert ReleaseLedger(address).url == f"postgresql+psycopg://dermacare_{role}:***@postgresql:5432/dermacare"
    assert len({value for keys in secrets.values() for value in keys.values()}) >= 14  # no password twice but where it is the same


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[str]:
    """SeaweedFS by the command of the manifest, at other ports and in a folder of the test's own; its address."""
    (pod,) = (template(one) for one in overlay("local") if label(one) == "StatefulSet/s3")
    port = free_port()
    places = {"-logdir=/tmp": f"-logdir={tmp_path}", "-dir=/data": f"-dir={tmp_path}/data", "-s3.port=8333": f"-s3.port={port}"}
    command = [places.get(part, part) for part in containers(pod)[0]["command"]]
    assert set(places) <= set(containers(pod)[0]["command"])
    others = [f"-{name}.port{kind}={free_port()}" for name in ("master", "volume", "filer") for kind in ("", ".grpc")]
    command[0] = str(Path(sysconfig.get_path("scripts")) / "weed")
    (tmp_path / "data").mkdir()
    with (tmp_path / "log").open("wb") as log:
        environment = os.environ | KEYS
        process = subprocess.Popen(
            [*command, *others, f"-s3.port.grpc={free_port()}"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        probe = containers(pod)[0]["startupProbe"]["httpGet"]["path"]
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        kill(process)


def test_s3_has_the_buckets_for_whoever_has_the_keys_and_for_nobody_else(s3: str) -> None:
    variables = {"AWS_ENDPOINT_URL_S3": s3, "AWS_DEFAULT_REGION": "us-east-1", "BUCKETS": "dermacare dermacare-backup"}
    for _ in range(2):  # the job may be run again
        command = [sys.executable, str(FOLDER / "s3" / "buckets.py")]
        done = subprocess.run(command, env=os.environ | KEYS | variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1", **keys)
    client.put_object(Bucket="dermacare", Key="one", Body=b"1")
    assert client.get_object(Bucket="dermacare", Key="one")["Body"].read() == b"1"
    stranger = boto3.client("s3", endpoint_url=s3, region_name="us-east-1", **keys | {"aws_secret_access_key": "another"})
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.list_buckets()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{s3}/dermacare/one", timeout=5)
