"""Which source a spelling names, what its sources are called, and what is said where it names none."""

from pathlib import Path

import pytest

from components.errors import SourceError
from components.ingest.folder import Folder
from components.ingest.phantom.source import Phantoms
from components.ingest.registry import find_source
from components.ingest.s3 import S3Prefix
from components.params import DVC_SOURCE, source_name
from tests.components.ingest.conftest import params_of
from tests.isic_folder import IsicFolder

NEAREST = {
    "phantm": "phantom",
    "Phantom": "phantom",
    "isic:2018": "isic:2018-task1",
    "isic2019": "isic:2019",
    "ISIC:2019": "isic:2019",
    "isic:2020": "isic:2019",
    "s3:/bucket/x": "s3://bucket/x",
    "S3://bucket/x": "s3://bucket/x",
    "s3://": "s3://BUCKET/PREFIX",
    "dvc:repo:data": "dvc:REPOSITORY@REVISION:PATH",
    "dvc://repo@main": "dvc:REPOSITORY@REVISION:PATH",
    "clinc": "clinic",
    "./clinc": "clinic",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder `clinic` and a file `table.csv`."""
    IsicFolder(tmp_path / "clinic").fill(1)
    (tmp_path / "table.csv").write_text("image\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("spelling", NEAREST)
def test_a_wrong_spelling_is_told_the_nearest_right_one_and_all_there_are(spelling: str, here: Path) -> None:
    with pytest.raises(SourceError) as raised:
        find_source(spelling, params_of(spelling))
    said = str(raised.value)
    assert f"ingest.sources: {spelling!r} does not exist (did you mean {NEAREST[spelling]}?)" in said
    assert said.endswith("isic:2018-task1, s3://BUCKET/PREFIX or dvc:REPOSITORY@REVISION:PATH")


@pytest.mark.parametrize(
    ("spelling", "sentence"), [("no/such/folder", "does not exist; a source is"), ("table.csv", "is no folder")]
)
def test_what_is_near_nothing_is_told_what_is_allowed(spelling: str, sentence: str, here: Path) -> None:
    with pytest.raises(SourceError, match=sentence):
        find_source(spelling, params_of(spelling))


def test_a_spelling_names_its_source(here: Path) -> None:
    kinds = {"phantom": Phantoms, "clinic": Folder, str(here / "clinic"): Folder, "s3://bucket/some/prefix": S3Prefix}
    assert {spelling: type(find_source(spelling, params_of(spelling))) for spelling in kinds} == kinds


@pytest.mark.parametrize(
    ("spelling", "repository", "revision", "path"),
    [
        ("dvc:/srv/data@v1:images", "/srv/data", "v1", "images"),
        ("dvc:.@HEAD@{1}:a/b", ".", "HEAD@{1}", "a/b"),
        ("dvc:git@host.org:team/data.git@feature/x:images", "git@host.org:team/data.git", "feature/x", "images"),
        ("dvc:https://me@host:8080/team/data.git@4f2a^:.", "https://me@host:8080/team/data.git", "4f2a^", "."),
        ("dvc:ssh://git@host:22/data@main:", "ssh://git@host:22/data", "main", ""),
    ],
)
def test_a_repository_may_hold_colons_and_ats(spelling: str, repository: str, revision: str, path: str) -> None:
    found = DVC_SOURCE.fullmatch(spelling)
    assert found is not None
    assert (found["repository"], found["revision"], found["path"]) == (repository, revision, path)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("phantom", "phantom"),
        ("isic:2019", "isic:2019"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("/srv/our-hospital/", "our-hospital"),
        ("dvc:https://token@host:8080/team/skin.git@main:data/images/", "dvc:skin:data/images"),
        ("dvc:git@host.org:skin.git@v1:.", "dvc:skin:."),
        ("dvc:/srv/skin@v2:images", "dvc:skin:images"),
    ],
)
def test_a_source_is_called_by_its_name_not_by_where_it_lies(spelling: str, name: str) -> None:
    assert source_name(spelling) == name


def test_where_files_lie_does_not_count_as_a_parameter() -> None:
    here, there = (params_of(f"{root}/clinic", f"dvc:{root}/skin@v1:images", "s3://b/x", "isic:2019") for root in ("/a", "/b"))
    moved = there.model_copy(update={"s3_endpoint": "http://other", "isic_endpoint": "http://mirror"})
    assert here.identity() == moved.identity()
    assert params_of("s3://b/x").identity() != params_of("s3://b/y").identity()
