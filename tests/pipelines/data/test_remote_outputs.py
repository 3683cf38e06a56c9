"""A withdrawal reaches the step store on a real S3: no byte of the images is left there, and what is of other data stays."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.dataset import Dataset, read_manifest, write_manifest
from components.errors import StoreError
from components.remote_store import VARIABLE, RemoteStore
from components.store import Store, copy_tree
from components.withdrawn import FILE, Withdrawal, Withdrawn, read_withdrawn, write_withdrawn
from pipelines.home import Home
from pipelines.withdrawn_list import add_withdrawn, share_withdrawn
from tests.bundles import classifier_bundle
from tests.data_project import STEPS, DataProject
from tests.pipelines.data.test_withdrawal import IMAGES, LESION, Killed, dying, needles
from tests.seaweedfs import S3Server

BUCKET = "withdrawn-from"


class Objects:
    """What lies below a prefix of a test's own."""

    def __init__(self, server: S3Server, prefix: str) -> None:
        self._client, self._prefix = server.client(), f"{prefix}/"
        self.place = f"s3://{server.bucket(BUCKET)}/{prefix}"

    def all(self) -> Iterator[tuple[str, bytes]]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=self._prefix):
            for entry in page.get("Contents", []):
                yield (
                    entry["Key"].removeprefix(self._prefix),
                    self._client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read(),
                )

    def holding(self, pieces: list[bytes]) -> list[str]:
        return [name for name, data in self.all() if any(piece in data for piece in pieces)]

    def entries(self) -> set[str]:
        return {"/".join(name.split("/")[1:3]) for name, _ in self.all() if name.startswith("steps/")}


@pytest.fixture
def objects(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Objects:
    found = Objects(s3_server, tmp_path.name)
    for name, value in {**s3_server.environment, "AWS_ENDPOINT_URL_S3": s3_server.endpoint, VARIABLE: found.place}.items():
        monkeypatch.setenv(name, value)
    return found


def fill(project: DataProject, objects: Objects, tmp_path: Path) -> None:
    """As the pods of a cluster leave it: outputs that hold the images, others made from them, and those of other data."""
    store = Store(tmp_path / "pod", RemoteStore(objects.place, send_seconds=0.05))
    version = Dataset(project.root / "data/validate").version
    parts = project.root / "data/preprocess/shards"

    def other(work: Path) -> None:
        copy_tree(project.root / "data/ingest", work)
        manifest = read_manifest(work)
        (work / "manifest.parquet").unlink()
        write_manifest(work, manifest[~manifest["image_id"].isin(IMAGES)])
        for shard in (work / "shards").iterdir():
            shard.write_bytes(b"of others")

    for step in STEPS:
        store.execute(step, f"{step}key", lambda work, step=step: copy_tree(project.root / "data" / step, work))  # type: ignore[misc]
    store.execute("preprocess_shards", "part", lambda work: copy_tree(parts, work / "shards"))
    for key, named in (("saw", version), ("other", "0" * 64)):
        scores = json.dumps({"data_version": named})
        store.execute("evaluate", key, lambda work, scores=scores: (work / "scores.json").write_text(scores))  # type: ignore[misc]
        store.execute(
            "train_classifier/tiny",
            key,
            lambda work, named=named: classifier_bundle(work, data_version=named),  # type: ignore[misc]
        )
    store.execute("ingest", "of-others", other)
    store.execute("register", "published", lambda work: (work / "REPORT.html").write_text("thumbnails"))
    begun = store.place("preprocess", "begun") / "work"
    copy_tree(parts, begun / "shards")
    with RemoteStore(objects.place).keeping("preprocess", "begun", begun) as keeper:
        keeper.send()


def test_no_byte_is_left_on_s3_and_what_is_of_other_data_stays(project: DataProject, objects: Objects, tmp_path: Path) -> None:
    fill(project, objects, tmp_path)
    pieces = needles(project)
    assert len(objects.holding(pieces)) >= 4
    told = " ".join(project("withdraw", LESION, "--yes").split())
    assert objects.holding(pieces) == []
    assert objects.entries() == {"evaluate/other", "train_classifier/other", "ingest/of-others"}
    assert f"{objects.place}: 8 outputs deleted" in told
    assert dict(objects.all())[FILE] == (project.root / FILE).read_bytes()
    again = project("withdraw", LESION, "--yes")
    assert "nothing is left to withdraw" in again, again


def test_of_two_machines_neither_takes_the_withdrawals_of_the_other_back(
    project: DataProject, objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, name = RemoteStore(objects.place), "T_NV_002"
    home = Home(project.home)
    theirs = Withdrawn((Withdrawal(name, "lesion", "2026-11-25", "", 1, (f"{name}_0",), ("a" * 64,)),))
    add_withdrawn(home, client, theirs)
    project("withdraw", LESION, "--yes")
    listed = dict(objects.all())[FILE]
    assert {row.id for row in read_withdrawn(home.shared / FILE).rows} == {LESION, name}

    monkeypatch.chdir(project.root)
    with pytest.raises(StoreError, match=f"names withdrawals that {FILE} lacks .lesion {name}.; `git pull`, or take that list"):
        share_withdrawn(home, client)
    assert dict(objects.all())[FILE] == listed

    own = read_withdrawn(project.root / FILE).joined(theirs)
    write_withdrawn(project.root / FILE, Withdrawn(own.rows[::-1]))  # as git merges them
    share_withdrawn(home, client)
    assert dict(objects.all())[FILE] == (project.root / FILE).read_bytes()


def test_what_only_s3_knows_of_is_found_by_its_id(project: DataProject, objects: Objects, tmp_path: Path) -> None:
    fill(project, objects, tmp_path)
    (tmp_path / "laptop").mkdir()
    alone = DataProject(tmp_path / "laptop", tmp_path / "laptop" / "home")
    alone("withdraw", LESION, "--yes")
    assert objects.holding(needles(project)) == []


@pytest.mark.parametrize("after", [0, 3, 7, 12])
def test_a_killed_deletion_is_finished_by_the_same_command(
    after: int, project: DataProject, objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(project, objects, tmp_path)
    pieces = needles(project)
    with monkeypatch.context() as patch:
        patch.setattr(RemoteStore, "_delete", dying(RemoteStore._delete, after))
        with pytest.raises(Killed):
            project("withdraw", LESION, "--yes")
    project("withdraw", LESION, "--yes")
    assert objects.holding(pieces) == []
    assert objects.entries() == {"evaluate/other", "train_classifier/other", "ingest/of-others"}


def test_a_store_that_is_away_is_one_sentence_and_nothing_is_deleted(
    project: DataProject, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    assert objects.place in project("withdraw", LESION, "--yes", fails=True)
    assert (project.root / "data/validate").is_dir()
    assert not (project.root / FILE).read_text().count(LESION)
