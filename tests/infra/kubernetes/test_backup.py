"""The backups of infra/kubernetes/base/backup, on real servers: everything is lost, and comes back as it was at one moment."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from components.errors import StoreError
from components.prediction_log import PredictionLog
from components.promotion.entries import Action
from components.promotion.ledger import ReleaseLedger
from tests.components.promotion.records import moved, release
from tests.components.test_prediction_log import row
from tests.environment import user_environment
from tests.infra.kubernetes.manifests import FOLDER
from tests.postgresql import PostgreSQL, postgresql
from tests.seaweedfs import S3Server
from tests.tracking_server.server import TrackingServer

SCRIPTS = FOLDER / "base" / "backup"
BUCKET = "dermacare"
TARGET = "dermacare-backup"
ROLES = ("mlflow", "steps", "serve", "backup")
ADMIN, PASSWORD = "root-of-tracking", "admin-password-1"


@dataclass(frozen=True)
class Role:
    """A role of PostgreSQL, as databases.sql makes it."""

    server: PostgreSQL
    name: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which libpq asks as this role."""
        word = f"{self.name.removeprefix('dermacare_')}-password"
        return self.server.environment | {"PGUSER": self.name, "PGPASSWORD": word, "PGDATABASE": "dermacare"}

    @property
    def address(self) -> str:
        """As SQLAlchemy writes it."""
        return f"postgresql+psycopg://{self.name}:{self.environment['PGPASSWORD']}@127.0.0.1:{self.server.port}/dermacare"


@contextlib.contextmanager
def databases() -> Iterator[PostgreSQL]:
    """A new PostgreSQL with what databases.sql makes."""
    with postgresql("postgres") as server:
        words = {f"DERMACARE_{name.upper()}_PASSWORD": f"{name}-password" for name in ROLES}
        command = [str(server.programs / "psql"), "--quiet", "--file", str(FOLDER / "postgresql" / "databases.sql")]
        environment = os.environ | server.environment | {"PGDATABASE": "postgres"} | words
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        yield server


def script(name: str, server: PostgreSQL, role: str, folder: Path) -> None:
    """Run a script of the backup as a role, or as PostgreSQL's administrator."""
    who = server.environment if role == "postgres" else Role(server, role).environment
    variables = {"BACKUP_DATABASES": "dermacare", "BACKUP_FOLDER": str(folder), "PATH": f"{server.programs}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", str(SCRIPTS / name)], env={**os.environ, **who, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def backup(
    s3: S3Server, folder: Path, *arguments: str, program: str | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run backup.py, with boto3 and nothing of ours; or a program that imports it."""
    variables = {
        "AWS_ENDPOINT_URL_S3": s3.endpoint,
        "BACKUP_SOURCES": f"s3://{BUCKET}",
        "BACKUP_TARGET": f"s3://{TARGET}/hospital",
        "BACKUP_ACCESS_KEY_ID": s3.environment["AWS_ACCESS_KEY_ID"],
        "BACKUP_SECRET_ACCESS_KEY": s3.environment["AWS_SECRET_ACCESS_KEY"],
        "BACKUP_DAYS": "30",
        "BACKUP_FOLDER": str(folder),
        **more,
    }
    own = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "BACKUP_", "PYTHONPATH"))}
    command = [str(SCRIPTS / "backup.py"), *arguments] if program is None else ["-c", program]
    environment = own | s3.environment | variables
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, cwd=SCRIPTS)


def objects(s3: S3Server, bucket: str, prefix: str = "") -> dict[str, bytes]:
    client = s3.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def empty(s3: S3Server, bucket: str) -> None:
    s3.bucket(bucket)
    for key in objects(s3, bucket):
        s3.client().delete_object(Bucket=bucket, Key=key)


@pytest.fixture
def buckets(s3_server: S3Server) -> S3Server:
    """S3 with the two buckets, empty."""
    empty(s3_server, BUCKET)
    empty(s3_server, TARGET)
    return s3_server


class TestFiles:
    @pytest.mark.slow
    def test_a_snapshot_brings_back_what_was_there_and_later_ones_add_what_changed(self, buckets: S3Server, tmp_path: Path) -> None:
        client = buckets.client()
        before = {f"store/{number}": bytes([number]) * 1000 for number in range(5)} | {"a b/ü.txt": b"x", "empty": b""}
        for key, body in before.items():
            client.put_object(Bucket=BUCKET, Key=key, Body=body)
        (tmp_path / "dermacare.dump").write_bytes(b"a dump")
        assert backup(buckets, tmp_path, "store").returncode == 0
        (first,) = backup(buckets, tmp_path, "list").stdout.split()

        client.delete_object(Bucket=BUCKET, Key="store/0")
        client.put_object(Bucket=BUCKET, Key="store/1", Body=b"changed")
        stored = set(objects(buckets, TARGET))
        time.sleep(1.1)  # a snapshot's name has seconds
        assert backup(buckets, tmp_path, "store").returncode == 0
        new = set(objects(buckets, TARGET)) - stored
        assert len([key for key in new if "/files/" in key]) == 1
        assert len(backup(buckets, tmp_path, "list").stdout.split()) == 2

        empty(buckets, BUCKET)
        (tmp_path / "dermacare.dump").unlink()
        assert backup(buckets, tmp_path, "restore", first).returncode == 0
        assert objects(buckets, BUCKET) == before
        assert (tmp_path / "dermacare.dump").read_bytes() == b"a dump"
        empty(buckets, BUCKET)
        assert backup(buckets, tmp_path, "restore").returncode == 0
        assert objects(buckets, BUCKET) == {key: body for key, body in before.items() if key != "store/0"} | {"store/1": b"changed"}

    @pytest.mark.parametrize("part", ["files", "snapshots"])
    def test_a_damaged_snapshot_is_refused_before_anything_is_written(self, part: str, buckets: S3Server, tmp_path: Path) -> None:
        client = buckets.client()
        for number in range(3):
            client.put_object(Bucket=BUCKET, Key=f"store/{number}", Body=bytes([number]) * 100)
        assert backup(buckets, tmp_path, "store").returncode == 0
        assert backup(buckets, tmp_path, "check").returncode == 0
        key, body = sorted(objects(buckets, TARGET, f"hospital/{part}/").items())[-1]
        client.put_object(Bucket=TARGET, Key=key, Body=bytes([body[0] ^ 1]) + body[1:])
        empty(buckets, BUCKET)
        for command in ("check", "restore"):
            done = backup(buckets, tmp_path, command)
            assert done.returncode == 1
            assert f"{Path(key).stem}: was changed since it was written" in done.stderr
        assert objects(buckets, BUCKET) == {}
        if part == "snapshots":  # the next one is made all the same; what the damaged one speaks of cannot be known, so all is kept
            assert backup(buckets, tmp_path, "store").returncode == 1
            assert backup(buckets, tmp_path, "check").returncode == 0

    @pytest.mark.slow
    def test_what_is_old_is_forgotten_but_never_the_newest(self, buckets: S3Server, tmp_path: Path) -> None:
        for body in (b"first", b"second"):
            buckets.client().put_object(Bucket=BUCKET, Key="one", Body=body)
            assert backup(buckets, tmp_path, "store", BACKUP_DAYS="0").returncode == 0
            time.sleep(1.1)
        assert len(backup(buckets, tmp_path, "list").stdout.split()) == 1
        assert set(objects(buckets, TARGET, "hospital/files/").values()) == {b"first", b"second"}  # a day has not passed
        program = "import backup, datetime, sys; backup._YOUNG = datetime.timedelta(0); sys.exit(backup.main(['store']))"
        assert backup(buckets, tmp_path, "store", BACKUP_DAYS="0", program=program).returncode == 0
        assert set(objects(buckets, TARGET, "hospital/files/").values()) == {b"second"}
        assert backup(buckets, tmp_path, "check").returncode == 0

    @pytest.mark.parametrize("missing", ["BACKUP_TARGET", "BACKUP_SOURCES"])
    def test_a_setting_that_is_missing_is_named(self, missing: str, buckets: S3Server, tmp_path: Path) -> None:
        done = backup(buckets, tmp_path, "store", **{missing: ""})
        assert done.returncode == 1
        assert done.stderr == f"backup.py: {missing}: is not set; the top of backup.py says what it is\n"


WRITER = """
import itertools, os, sys
import mlflow
from components.promotion.entries import Action
from components.promotion.ledger import ReleaseLedger
from tests.components.promotion.records import moved, release

ledger, client = ReleaseLedger(os.environ["DERMACARE_LEDGER"]), mlflow.MlflowClient()
client.create_registered_model("lesion-classifier")
experiment = client.create_experiment("dermacare")
entry = None
for number in itertools.count(1):
    run = client.create_run(experiment).info
    client.log_text(run.run_id, f"artifact of {number}", "note.txt")
    version = client.create_model_version("lesion-classifier", f"{run.artifact_uri}/note.txt", run.run_id)
    entry = ledger.append(moved(Action.PROMOTE, release(number)), after=entry)
    client.set_model_version_tag("lesion-classifier", version.version, "ledger", entry.head)
    client.set_terminated(run.run_id)
    print(run.run_id, flush=True)
"""


@pytest.mark.slow
def test_all_servers_are_lost_while_they_are_written_to_and_come_back_as_they_were(buckets: S3Server, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()
    with contextlib.ExitStack() as servers:
        database = servers.enter_context(databases())
        tracking = TrackingServer(tmp_path, Role(database, "mlflow"), buckets, BUCKET, promoters="steps")  # type: ignore[arg-type]
        tracking.start()
        servers.callback(tracking.kill)
        for _ in range(2):  # it may be run again
            make_users(tracking)
        PredictionLog(Role(database, "dermacare_serve").address).append(row(1))
        with writing(tracking, database, tmp_path) as runs:
            while len(runs()) < 3:
                time.sleep(0.1)
            confirmed = runs()
            script("dump.sh", database, "dermacare_backup", folder)
            stored = backup(buckets, folder, "store")
            assert stored.returncode == 0, stored.stderr
            while len(runs()) < len(confirmed) + 3:  # it went on meanwhile
                time.sleep(0.1)

    empty(buckets, BUCKET)  # everything is gone: PostgreSQL with its disk, and S3's bucket
    (folder / "dermacare.dump").unlink()

    with contextlib.ExitStack() as servers:
        database = servers.enter_context(databases())
        fetched = backup(buckets, folder, "restore")
        assert fetched.returncode == 0, fetched.stderr
        script("restore.sh", database, "postgres", folder)
        tracking = TrackingServer(tmp_path, Role(database, "mlflow"), buckets, BUCKET, promoters="steps")  # type: ignore[arg-type]
        tracking.start()
        servers.callback(tracking.kill)

        read = "import mlflow, sys\nfor run in sys.argv[1:]: print(mlflow.artifacts.load_text(f'runs:/{run}/note.txt'))"
        done = as_user("serve", tracking, database, tmp_path, read, *confirmed)
        assert done.stdout.splitlines() == [f"artifact of {number}" for number in range(1, len(confirmed) + 1)], done.stderr
        history = as_user("serve", tracking, database, tmp_path, "from dermacare.cli import main; main()", "history", "--verify")
        assert history.returncode == 0, history.stdout + history.stderr
        assert "every head that MLflow notes is among them" in " ".join(history.stdout.split())

        entries = ReleaseLedger(Role(database, "dermacare_steps").address).entries()
        assert len(entries) >= len(confirmed)
        log = PredictionLog(Role(database, "dermacare_serve").address)
        assert log.find(row(1).id) == row(1)
        log.append(row(2))
        ReleaseLedger(Role(database, "dermacare_steps").address).append(moved(Action.ROLLBACK, release(1)), after=entries[-1])
        for role in ("dermacare_steps", "dermacare_serve", "postgres"):
            refuses_changes(database, role)


def test_roles_do_what_they_are_for_and_nothing_else() -> None:
    with databases() as database:
        first = ReleaseLedger(Role(database, "dermacare_steps").address).append(moved(Action.PROMOTE, release(1)), after=None)
        assert ReleaseLedger(Role(database, "dermacare_serve").address).newest() == first
        PredictionLog(Role(database, "dermacare_serve").address).append(row(1))
        with pytest.raises(StoreError, match="permission denied"):
            PredictionLog(Role(database, "dermacare_steps").address).append(row(2))
        for role in ("mlflow", "dermacare_steps", "dermacare_serve", "dermacare_backup", "postgres"):
            refuses_changes(database, role)

        database.query("postgres", "create database ours")
        ReleaseLedger(database.address("ours")).entries()
        PredictionLog(database.address("ours")).require_room()
        for table in ("ledger", "predictions"):
            columns = f"""
                select column_name, data_type, character_maximum_length, is_nullable from information_schema.columns
                where table_schema = 'dermacare' and table_name = '{table}' order by ordinal_position"""
            assert database.query("dermacare", columns) == database.query("ours", columns)
            triggers = f"select tgname, tgtype, tgenabled from pg_trigger where tgrelid = 'dermacare.{table}'::regclass"
            assert database.query("dermacare", triggers) == database.query("ours", triggers) != []
            keys = f"select conname, contype from pg_constraint where conrelid = 'dermacare.{table}'::regclass order by conname"
            assert database.query("dermacare", keys) == database.query("ours", keys)


def refuses_changes(database: PostgreSQL, role: str) -> None:
    """Neither table can be changed, whoever asks; nor can whoever writes to it take its trigger away."""
    words = database.environment | ({} if role == "postgres" else Role(database, role).environment)
    where = {"host": words["PGHOST"], "port": words["PGPORT"], "user": words["PGUSER"], "password": words["PGPASSWORD"]}
    for table in ("ledger", "predictions"):
        statements = [f"delete from dermacare.{table}", f"truncate dermacare.{table}"]
        if role != "postgres":
            statements += [f"alter table dermacare.{table} disable trigger all", f"drop table dermacare.{table}"]
        for statement in statements:
            with psycopg.connect(dbname="dermacare", **where, autocommit=True) as connection, pytest.raises(psycopg.Error):
                connection.execute(statement)


def make_users(tracking: TrackingServer) -> None:
    """As docs/cluster.md has it done, in MLflow's own pod."""
    variables = {
        "MLFLOW_TRACKING_URI": tracking.uri,
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "STEPS_PASSWORD": "password-of-steps",
        "SERVE_PASSWORD": "password-of-serve",
    }
    done = subprocess.run([sys.executable, str(FOLDER / "users.py")], env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _environment(user: str, tracking: TrackingServer, database: PostgreSQL, folder: Path) -> dict[str, str]:
    return user_environment(
        folder / "home",
        MLFLOW_TRACKING_URI=tracking.uri,
        MLFLOW_TRACKING_USERNAME=user,
        MLFLOW_TRACKING_PASSWORD=f"password-of-{user}",
        DERMACARE_LEDGER=Role(database, f"dermacare_{user}").address,
        PYTHONPATH=str(FOLDER.parents[1]),
    )


def as_user(
    user: str, tracking: TrackingServer, database: PostgreSQL, folder: Path, code: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    environment = _environment(user, tracking, database, folder)
    return subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, cwd=folder)


@contextlib.contextmanager
def writing(tracking: TrackingServer, database: PostgreSQL, folder: Path) -> Iterator[object]:
    """Runs, versions and entries are written until the block ends; what it gives tells the runs that are whole so far."""
    printed = folder / "runs"
    with printed.open("wb") as out, (folder / "writer.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER],
            env=_environment("steps", tracking, database, folder),
            stdout=out,
            stderr=log,
            cwd=folder,
        )
        try:
            yield lambda: _lines(printed, process, folder / "writer.log")
        finally:
            process.kill()
            process.wait(30)


def _lines(printed: Path, process: subprocess.Popen[bytes], log: Path) -> list[str]:
    assert process.poll() is None, log.read_text()
    return [line for line in printed.read_text().splitlines(keepends=False) if len(line) == 32]
