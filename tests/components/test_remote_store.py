"""The step store on a real S3 server: what outlives a pod, and what is refused."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.errors import StoreError
from components.remote_store import RemoteStore
from components.store import Outcome, Store
from tests.components.lost_pods import in_a_process
from tests.seaweedfs import S3Server

STEP, KEY = "preprocess", "0123456789abcdef0123"
BUCKET = "step-store"


class Bucket:
    """A prefix of a test's own."""

    def __init__(self, server: S3Server, prefix: str) -> None:
        self.place = f"s3://{server.bucket(BUCKET)}/{prefix}"
        self._client, self._prefix = server.client(), prefix

    def names(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self._prefix}/").get("Contents", [])
        return [entry["Key"].removeprefix(f"{self._prefix}/") for entry in found]

    def spoil(self, ending: str) -> None:
        """Change an object of this ending, of the files the first."""
        name = next(name for name in self.names() if ending in name)
        self._client.put_object(Bucket=BUCKET, Key=f"{self._prefix}/{name}", Body=b"spoilt")

    def drop(self, ending: str) -> None:
        name = next(name for name in self.names() if ending in name)
        self._client.delete_object(Bucket=BUCKET, Key=f"{self._prefix}/{name}")


@pytest.fixture
def bucket(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in {**s3_server.environment, "AWS_ENDPOINT_URL_S3": s3_server.endpoint}.items():
        monkeypatch.setenv(name, value)
    return Bucket(s3_server, tmp_path.name)


def remote(bucket: Bucket) -> RemoteStore:
    return RemoteStore(bucket.place, send_seconds=0.05)


def write(work: Path) -> None:
    (work / "shards").mkdir(exist_ok=True)
    (work / "manifest").write_text("rows")
    (work / "shards" / "a.npy").write_bytes(b"pixels" * 1000)
    (work / "shards" / "b.npy").write_bytes(b"others" * 1000)


def never(work: Path) -> None:
    raise AssertionError("done again")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_output_outlives_the_disk_that_it_was_made_on(bucket: Bucket, tmp_path: Path) -> None:
    made = Store(tmp_path / "a", remote(bucket)).execute(STEP, KEY, write, code="c", run="r")
    found = Store(tmp_path / "b", remote(bucket)).execute(STEP, KEY, never)
    assert (made.outcome, found.outcome) == (Outcome.DONE, Outcome.REUSED)
    assert files(found.out) == files(made.out)
    assert Store(tmp_path / "b", remote(bucket)).record(STEP, KEY)["run"] == "r"
    assert not [name for name in bucket.names() if name.endswith("work.json")]


@pytest.mark.parametrize("harm", [lambda bucket: bucket.spoil("/files/"), lambda bucket: bucket.drop("/files/")])
def test_an_output_that_is_not_as_it_was_written_is_made_again(
    bucket: Bucket, tmp_path: Path, harm: Callable[[Bucket], None]
) -> None:
    Store(tmp_path / "a", remote(bucket)).execute(STEP, KEY, write)
    harm(bucket)
    again = Store(tmp_path / "b", remote(bucket)).execute(STEP, KEY, write)
    assert again.outcome is Outcome.DONE
    assert Store(tmp_path / "c", remote(bucket)).execute(STEP, KEY, never).outcome is Outcome.REUSED


def test_of_two_at_one_key_the_first_output_stands(bucket: Bucket, tmp_path: Path) -> None:
    def slow(work: Path) -> None:
        Store(tmp_path / "fast", remote(bucket)).execute(STEP, KEY, write)
        write(work)
        (work / "manifest").write_text("other rows")

    second = Store(tmp_path / "slow", remote(bucket)).execute(STEP, KEY, slow)
    assert (second.out / "manifest").read_text() == "rows"
    assert Store(tmp_path / "third", remote(bucket)).execute(STEP, KEY, never).out.joinpath("manifest").read_text() == "rows"


def test_told_is_all_but_the_shards(bucket: Bucket, tmp_path: Path) -> None:
    Store(tmp_path / "a", remote(bucket)).execute(STEP, KEY, write)
    other = Store(tmp_path / "b", remote(bucket))
    assert sorted(files(other.told(STEP, KEY))) == ["manifest", "step.json"]
    assert not other.has(STEP, KEY)
    assert other.bring(STEP, KEY).is_dir()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(bucket: Bucket, home: Path, call: str, count: int) -> int:
    """Do the work in a process that is killed just before the store's n-th call of this name; gives its exit code."""

    def pod() -> None:
        calls = 0
        real = getattr(RemoteStore, call)

        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == count:
                die()
            return real(*arguments, **named)

        setattr(RemoteStore, call, counted)
        Store(home, remote(bucket)).execute(STEP, KEY, write)

    return in_a_process(pod)


@pytest.mark.parametrize(("call", "count"), [("send", 1), ("send", 3), ("list_out", 1), ("remove", 1)])
def test_a_kill_while_it_is_sent_leaves_nothing_half(bucket: Bucket, tmp_path: Path, call: str, count: int) -> None:
    assert killed_at(bucket, tmp_path / "killed", call, count) == -9
    again = Store(tmp_path / "again", remote(bucket)).execute(STEP, KEY, write)
    assert files(again.out)["shards/b.npy"] == b"others" * 1000
    assert Store(tmp_path / "third", remote(bucket)).execute(STEP, KEY, never).outcome is Outcome.REUSED


def leave_work(bucket: Bucket, home: Path) -> None:
    """What a killed attempt leaves: two checkpoints and a table."""
    work = home / "work"
    (work / "checkpoints").mkdir(parents=True)
    for number in (1, 2):
        (work / "checkpoints" / f"000{number}.npz").write_bytes(b"weights" * number)
    (work / "table").write_text("rows")
    with remote(bucket).keeping(STEP, KEY, work) as keeper:
        keeper.send()


def work_of(bucket: Bucket, home: Path) -> dict[str, bytes]:
    remote(bucket).take_work(STEP, KEY, home / "work")
    return files(home / "work") if (home / "work").exists() else {}


def test_what_a_killed_attempt_left_is_gone_on_from(bucket: Bucket, tmp_path: Path) -> None:
    leave_work(bucket, tmp_path / "a")

    def go_on(work: Path) -> None:
        assert sorted(files(work)) == ["checkpoints/0001.npz", "checkpoints/0002.npz", "table"]
        write(work)

    assert Store(tmp_path / "b", remote(bucket)).execute(STEP, KEY, go_on).outcome is Outcome.RESUMED


def test_a_spoilt_checkpoint_is_spared_and_with_another_spoilt_file_all_goes(bucket: Bucket, tmp_path: Path) -> None:
    leave_work(bucket, tmp_path / "a")
    lists = json.loads(bucket._client.get_object(Bucket=BUCKET, Key=f"{tmp_path.name}/steps/{STEP}/{KEY}/work.json")["Body"].read())
    bucket.spoil(lists["files"]["checkpoints/0002.npz"])
    assert sorted(work_of(bucket, tmp_path / "b")) == ["checkpoints/0001.npz", "table"]
    bucket.spoil(lists["files"]["table"])
    assert work_of(bucket, tmp_path / "c") == {}


def test_of_what_is_replaced_the_last_two_states_are_kept(bucket: Bucket, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with RemoteStore(bucket.place, send_seconds=60).keeping(STEP, KEY, work) as keeper:
        for number in range(5):
            (work / "state.new").write_text(str(number))
            (work / "state.new").rename(work / "state")
            keeper.send()
    assert len([name for name in bucket.names() if "/files/" in name]) == 2


def test_two_runs_that_extend_one_file_lose_no_line(bucket: Bucket, tmp_path: Path) -> None:
    def extend(name: str) -> None:
        file = tmp_path / name / "groups.csv"

        def add() -> None:
            before = file.read_text() if file.exists() else ""
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"{before}{name}\n")

        remote(bucket).extend("groups.csv", file, add, first=tmp_path / "none")

    threads = [threading.Thread(target=extend, args=(f"run-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    remote(bucket).take_file("groups.csv", tmp_path / "groups.csv")
    assert sorted((tmp_path / "groups.csv").read_text().split()) == [f"run-{number}" for number in range(4)]


def test_a_home_s_own_groups_are_where_a_new_store_begins(bucket: Bucket, tmp_path: Path) -> None:
    own, file = tmp_path / "groups.csv", tmp_path / "shared" / "groups.csv"
    own.write_text("known\n")
    remote(bucket).extend("groups.csv", file, lambda: None, first=own)
    own.write_text("other\n")
    remote(bucket).extend("groups.csv", file, lambda: None, first=own)
    assert file.read_text() == "known\n"
    assert own.read_text() == "other\n"


def test_a_list_that_names_a_file_outside_its_folder_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    key = f"{tmp_path.name}/steps/{STEP}/{KEY}/out.json"
    bucket._client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps({"files": {"../../x": "0" * 64}, "record": {}}).encode())
    with pytest.raises(StoreError, match="outside its folder"):
        Store(tmp_path / "a", remote(bucket)).execute(STEP, KEY, write)


@pytest.mark.parametrize("place", ["bucket/prefix", "s3://", "s3:///prefix"])
def test_a_place_that_is_none_is_named(place: str) -> None:
    with pytest.raises(StoreError, match="DERMACARE_STORE"):
        RemoteStore(place)


def test_a_server_that_is_away_is_one_sentence(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setattr("components.ingest.s3._TRIES", 1)
    with pytest.raises(StoreError, match="see that the store answers"):
        Store(tmp_path / "a", remote(bucket)).execute(STEP, KEY, write)


@pytest.fixture(scope="module")
def lost(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("lost")
    place = f"s3://{s3_server.bucket(BUCKET)}/{folder.name}"
    environment = os.environ | s3_server.environment | {"AWS_ENDPOINT_URL_S3": s3_server.endpoint}
    command = [sys.executable, "-m", "tests.components.lost_pods", str(folder), place]
    project = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    results: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return results


@pytest.mark.slow
def test_a_training_whose_pod_and_disk_are_lost_comes_to_the_same_weights(lost: dict[str, Any]) -> None:
    assert lost["codes"] == [0, -9, -9, 0]
    assert lost["outcome"] == "resumed"
    assert lost["left"]["digests"] == lost["whole"]["digests"]
    assert lost["left"]["curves"] == lost["whole"]["curves"]
