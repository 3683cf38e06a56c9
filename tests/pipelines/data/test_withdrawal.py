"""After a withdrawal no byte of the images is left, all others are as they were, and what saw them is named."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from components.dataset import Dataset, read_manifest, write_manifest
from components.files import sha256_bytes
from components.lesions import Task
from components.store import Store, copy_tree
from components.withdrawn import FILE, read_withdrawn
from pipelines import runs
from pipelines.data.objects import Objects
from pipelines.home import Home
from tests.data_project import STEPS, DataProject, holding

LESION = "T_MEL_001"
IMAGES = {f"{LESION}_0", f"{LESION}_1"}


def needles(project: DataProject, images: set[str] = IMAGES) -> list[bytes]:
    """Pieces of the images' files, of their masks' files, and of their pixels, long enough to be nobody else's."""
    encoded = Dataset(project.root / "data/validate")
    pixels = Dataset(project.root / "data/preprocess")
    found = []
    for _, row in encoded.rows(Task.SEGMENTATION).iterrows():
        if row["image_id"] in images:
            found += [encoded.image_bytes(row)[-300:-10], encoded.mask_bytes(row)[30:]]
    for task in Task:
        rows = pixels.rows(task)
        rows = rows[rows["image_id"].isin(images)]
        found += [image.tobytes()[:600] for image in pixels.images(rows)]
    assert len(found) == 4 * len(images)
    return found


def bytes_of_others(project: DataProject) -> dict[tuple[str, str], tuple[bytes, bytes]]:
    dataset = Dataset(project.root / "data/ingest")
    rows = dataset.manifest[~dataset.manifest["image_id"].isin(IMAGES) & dataset.manifest["mask"].notna()]
    return {(r["image_id"], r["task"]): (dataset.image_bytes(r), dataset.mask_bytes(r)) for _, r in rows.iterrows()}


def fill_store(project: DataProject) -> Store:
    """The store's copies of the three outputs, an attempt at preprocess that was killed, and an older work of another data."""
    store = Store(project.home)
    for step in STEPS:
        store.execute(step, f"{step}key", lambda work, step=step: copy_tree(project.root / "data" / step, work), code="0")  # type: ignore[misc]
    begun = store.place("preprocess", "begun") / "work" / "shards"
    begun.mkdir(parents=True)
    shutil.copy(next((project.root / "data/preprocess/shards").glob("classification-*.npy")), begun)
    return store


def test_no_byte_is_left_and_all_others_are_as_they_were(project: DataProject) -> None:
    fill_store(project)
    project("push")
    pieces, others = needles(project), bytes_of_others(project)
    # In the store, in data/, in the cache, in the remote.
    assert len(holding(pieces, project.home, project.root)) >= 4 * 3
    told = project("withdraw", LESION, "--reason", "consent taken back", "--yes")
    assert holding(pieces, project.home, project.root) == []
    assert bytes_of_others(project) == others
    assert not IMAGES & set(read_manifest(project.root / "data/ingest")["image_id"])
    assert "T_MEL_001_0" in told
    assert "segmentation" in told
    assert "MEL" in told


def test_no_byte_is_left_in_homes_of_reproduce_nor_of_what_was_fetched(project: DataProject) -> None:
    repetition = DataProject(project.root, project.home / "reproduce" / "20261124-153012-a1b2")
    place = fill_store(repetition).place("preprocess", "preprocesskey")
    store = Store(project.home)
    for name in (".out.fetched", "told", ".told.fetched"):
        copy_tree(project.root / "data/preprocess", store.place("preprocess", "killed") / name)
    pieces = needles(project)
    assert len(holding(pieces, project.home)) >= 6
    project("withdraw", LESION, "--yes")
    assert holding(pieces, project.home) == []
    assert not place.exists()
    assert "nothing is left to withdraw" in project("withdraw", LESION, "--yes")


def test_what_a_repetition_alone_still_has_is_found_by_its_id(project: DataProject, tmp_path: Path) -> None:
    (tmp_path / "laptop").mkdir()
    alone = DataProject(tmp_path / "laptop", tmp_path / "laptop" / "home")
    store = Store(alone.home / "reproduce" / "20261124-153012-a1b2")
    store.execute("validate", "key", lambda work: copy_tree(project.root / "data/validate", work))
    alone("withdraw", LESION, "--yes")
    assert list(store.entries()) == []


@pytest.mark.slow
def test_dvc_holds_what_is_left_here_and_in_the_remote(project: DataProject, tmp_path: Path) -> None:
    project("push")
    project("withdraw", LESION, "--yes")
    project.git("commit", "--quiet", "--all", "--message", "withdrawn")
    assert "ingest" not in project.dvc("status", "ingest")
    clone = project.clone(tmp_path / "clone", tmp_path / "other")
    clone.dvc("remote", "add", "--local", "--default", "team", str(project.home / "remote"))
    clone.dvc("pull", "ingest")
    assert bytes_of_others(clone) == bytes_of_others(project)


def test_an_older_version_says_that_its_data_was_withdrawn(project: DataProject) -> None:
    project("push")
    project("withdraw", LESION, "--yes")
    row = read_withdrawn(project.root / FILE).rows[0]
    gone = f"data was withdrawn from this version on {row.when} (lesion {LESION})"
    assert gone in project("diff", "HEAD", "HEAD", fails=True)
    assert gone in project("pull", fails=True)
    assert gone in project("log")
    assert gone in project("status")


def test_the_record_names_images_files_and_versions_and_holds_none(project: DataProject) -> None:
    version = Dataset(project.root / "data/validate").version
    rows = Dataset(project.root / "data/validate").rows(Task.SEGMENTATION)
    digests = {d for _, r in rows[rows["image_id"].isin(IMAGES)].iterrows() for d in (r["sha256"], r["mask_sha256"])}
    project("withdraw", LESION, "--reason", "consent, taken back", "--yes")
    (row,) = read_withdrawn(project.root / FILE).rows
    assert (row.id, row.kind, row.reason, row.images, set(row.image_ids)) == (LESION, "lesion", "consent, taken back", 2, IMAGES)
    assert digests <= set(row.sha256)
    assert version in row.versions


@pytest.mark.parametrize("asked", [["T_MEL_001_0"], ["T_MEL_001_0", "T_NV_002"], ["P7"]])
def test_images_lesions_and_patients_several_at_once(asked: list[str], project: DataProject) -> None:
    images = {
        "T_MEL_001_0": {"T_MEL_001_0"},
        "T_NV_002": {"T_NV_002_0", "T_NV_002_1"},
        "P7": {"T_DF_000_0", "T_SCC_003_1"},
    }
    for step in STEPS:
        folder = project.root / "data" / step
        manifest = read_manifest(folder)
        manifest.loc[manifest["image_id"].isin(images["P7"]), "patient_id"] = "P7"
        (folder / "manifest.parquet").unlink()
        write_manifest(folder, manifest)
    gone = set().union(*(images[name] for name in asked))
    pieces = needles(project, gone)
    project("withdraw", *asked, "--yes")
    assert {row.id: set(row.image_ids) for row in read_withdrawn(project.root / FILE).rows} == {n: images[n] for n in asked}
    assert holding(pieces, project.root / "data") == []


def test_the_same_file_under_another_id_goes_too_and_the_same_mask_stays(project: DataProject) -> None:
    folder = project.root / "data/ingest"
    manifest = read_manifest(folder)
    of = manifest.set_index(["image_id", "task"])
    twin = of.loc[("T_MEL_001_0", "classification"), ["sha256", "shard", "row"]]
    rows = manifest["image_id"] == "T_BCC_000_0"
    manifest.loc[rows & (manifest["task"] == "classification"), ["sha256", "shard", "row"]] = twin.tolist()
    masks = manifest["image_id"].isin(["T_AK_000_0", "T_MEL_001_0"]) & (manifest["task"] == "segmentation")
    manifest.loc[masks, "mask_sha256"] = "f" * 64
    (folder / "manifest.parquet").unlink()
    write_manifest(folder, manifest)
    project("withdraw", "T_MEL_001_0", "--yes")
    (row,) = read_withdrawn(project.root / FILE).rows
    assert set(row.image_ids) == {"T_MEL_001_0", "T_BCC_000_0"}
    assert "T_AK_000_0" in set(read_manifest(folder)["image_id"])
    assert "f" * 64 not in row.sha256


def test_a_no_changes_nothing(project: DataProject, monkeypatch: pytest.MonkeyPatch) -> None:
    before = project.git("status", "--porcelain")
    monkeypatch.setattr("typer.confirm", lambda _: False)
    project("withdraw", LESION)
    assert project.git("status", "--porcelain") == before
    assert (project.root / "data/validate").is_dir()


def test_an_unknown_id_is_refused(project: DataProject) -> None:
    assert "T_MEL_999: is no image, lesion or patient" in project("withdraw", LESION, "T_MEL_999", "--yes", fails=True)
    assert (project.root / "data/validate").is_dir()


def test_withdrawn_twice_says_that_nothing_is_left(project: DataProject) -> None:
    project("withdraw", LESION, "--yes")
    assert f"nothing is left to withdraw: {LESION} went on" in project("withdraw", LESION, "--yes")


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def dying(function: Callable[..., object], after: int) -> Callable[..., object]:
    calls = iter(range(10_000))

    def call(*arguments: object, **more: object) -> object:
        if next(calls) == after:
            raise Killed
        return function(*arguments, **more)

    return call


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "after"),
    [
        ("pipelines.data.withdrawal.note_origin", 0),
        ("pipelines.data.without.write_files_shard", 0),
        ("pipelines.data.without.write_manifest", 0),
        ("pipelines.data.without._drop_unused", 0),
        ("pipelines.data.withdrawal._delete_objects", 1),
        ("pipelines.data.objects.Objects.delete", 3),
        ("pipelines.data.objects.Objects.delete", 4),
        ("pipelines.data.withdrawal._delete_folder", 1),
        ("pipelines.data.withdrawal.shutil.rmtree", 1),
        ("components.store.shutil.rmtree", 1),
        ("components.store.Store.delete", 2),
    ],
)
def test_a_killed_withdrawal_is_finished_by_the_same_command(
    where: str, after: int, project: DataProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_store(project)
    project("push")
    pieces, others = needles(project), bytes_of_others(project)
    module, _, name = where.rpartition(".")
    with monkeypatch.context() as patch:
        from pkgutil import resolve_name

        patch.setattr(where, dying(getattr(resolve_name(module), name), after))
        with pytest.raises(Killed):
            project("withdraw", LESION, "--yes")
    project("withdraw", LESION, "--yes")
    assert holding(pieces, project.home, project.root) == []
    assert bytes_of_others(project) == others
    assert len(read_withdrawn(project.root / FILE).rows) == 1
    assert "ingest" not in project.dvc("status", "ingest")


def test_without_data_ingest_here_nothing_is_deleted_since_the_others_would_be_lost(project: DataProject) -> None:
    project("push")
    shutil.rmtree(project.root / "data/ingest")
    before = sorted(path.name for path in (project.home / "remote").rglob("*"))
    assert "`dermacare data pull` first" in project("withdraw", LESION, "--yes", fails=True)
    assert sorted(path.name for path in (project.home / "remote").rglob("*")) == before


@pytest.mark.slow
def test_files_that_were_added_to_dvc_as_they_came_go_too(project: DataProject) -> None:
    dataset = Dataset(project.root / "data/validate")
    raw = project.root / "data" / "raw"
    raw.mkdir()
    for _, row in dataset.rows(Task.SEGMENTATION).iterrows():
        (raw / f"{row['image_id']}.jpg").write_bytes(dataset.image_bytes(row))
    project.dvc("add", "--quiet", "data/raw")
    project("push")
    pieces = needles(project)
    project("withdraw", LESION, "--yes")
    assert holding(pieces, project.home, project.root) == []
    assert len(list(raw.iterdir())) == 62


@pytest.mark.slow
def test_images_that_only_another_version_still_has_in_a_shard_are_named_before_they_are_lost(project: DataProject) -> None:
    neighbour = "T_MEL_000_0"
    for step in STEPS:
        folder = project.root / "data" / step
        manifest = read_manifest(folder)
        (folder / "manifest.parquet").unlink()
        write_manifest(folder, manifest[manifest["image_id"] != neighbour])
    project.commit("one image less")
    told = project("withdraw", LESION, "--yes")
    assert f"1 images that other versions keep in the same shards, {neighbour}" in told


@pytest.mark.slow
def test_a_clone_of_a_colleague_is_cleaned_by_the_same_command(project: DataProject, tmp_path: Path) -> None:
    project("push")
    clone = project.clone(tmp_path / "clone", tmp_path / "other")
    clone.dvc("remote", "add", "--local", "--default", "team", str(project.home / "remote"))
    clone("pull")
    pieces = needles(clone)
    project("withdraw", LESION, "--yes")
    project.git("commit", "--quiet", "--all", "--message", "withdrawn")
    clone.git("pull", "--quiet")
    assert holding(pieces, clone.root)
    clone("withdraw", LESION, "--yes")
    assert holding(pieces, clone.root) == []


def test_shards_keep_the_names_and_bytes_of_what_stays(project: DataProject) -> None:
    folder = project.root / "data/ingest"
    before = {path.name: sha256_bytes(path.read_bytes()) for path in (folder / "shards").iterdir()}
    project("withdraw", LESION, "--yes")
    after = {path.name: sha256_bytes(path.read_bytes()) for path in (folder / "shards").iterdir()}
    assert len(before) == len(after) == 4
    assert len(before.items() & after.items()) == 3
    (new,) = after.keys() - before.keys()
    with zipfile.ZipFile(folder / "shards" / new) as archive:
        assert len(archive.namelist()) == 2 * 14
        assert not any(LESION in name for name in archive.namelist())


def test_what_is_made_from_the_rewritten_folder_does_not_pass_for_what_was_made_before(project: DataProject) -> None:
    before = json.loads((project.root / "data/ingest/step.json").read_text())
    project("withdraw", LESION, "--yes")
    after = json.loads((project.root / "data/ingest/step.json").read_text())
    assert before["step"] == after["step"]
    assert before["key"] != after["key"]


def test_objects_are_deleted_where_they_lie(project: DataProject) -> None:
    cache = Objects("cache", project.project.repo.cache.local)
    (one, *_) = sorted(oid for oid in cache.ids() if not oid.endswith(".dir"))
    assert cache.delete([one, "0" * 32]) == 1
    assert one not in cache.ids()


def test_while_a_run_goes_on_nothing_is_withdrawn(project: DataProject) -> None:
    home = Home(project.home)
    runs.save(home, runs.owned(runs.RunRecord("20261124-153012-a1b2", "dermacare run", "", {}, [])))
    assert "20261124-153012-a1b2: is going on" in project("withdraw", LESION, "--yes", fails=True)
    assert (project.root / "data/validate").is_dir()


@pytest.mark.parametrize("step", ["augment_balance", "evaluate", "register", "leak_study", "train_unet"])
@pytest.mark.parametrize("state", ["work", "deleted"])
def test_no_picture_is_left_of_what_killed_steps_drew(project: DataProject, step: str, state: str) -> None:
    figures = Store(project.home).place(step, "killed") / state / "figures"
    figures.mkdir(parents=True)
    (figures / "mistakes.png").write_bytes(b"pixels of T_MEL_001_0")
    project("withdraw", LESION, "--yes")
    assert not holding([b"pixels of T_MEL_001_0"], project.home)
