"""The page of a diff, on versions read through DVC."""

import re
from pathlib import Path

import pytest

from components.dataset import read_manifest, write_manifest
from pipelines.data.diff import Change, Kind
from pipelines.data.page import choose
from tests.data_project import DataProject


def test_the_page_shows_changed_images_before_and_after_and_needs_nothing_else(project: DataProject, tmp_path: Path) -> None:
    project.change(T_MEL_000_0="NV", T_NV_001_0="DROP")
    page = tmp_path / "page.html"
    told = project("diff", "--html", str(page))
    assert "2 of 2 changed images" in told
    text = page.read_text()
    # The relabelled one twice, the removed one once.
    assert len(re.findall(r'<img src="data:image/jpeg;base64,[A-Za-z0-9+/=]+"', text)) == 3
    assert text.count("not there") == 1
    assert "label: MEL → NV" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "http" not in text
    assert str(tmp_path) not in text


def test_what_comes_from_the_data_cannot_write_into_the_page(project: DataProject, tmp_path: Path) -> None:
    folder = project.root / "data/validate"
    manifest = read_manifest(folder)
    manifest.loc[0, ["source", "sex"]] = ["<script>alert(1)</script>", "<img src=x onerror=alert(2)>"]
    (folder / "manifest.parquet").unlink()
    write_manifest(folder, manifest)
    project("diff", "--html", str(tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text()
    assert "<script" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;" in text


def test_many_changes_of_one_kind_hide_no_other() -> None:
    added = [Change(f"a{number}", frozenset({Kind.ADDED}), "NV", "s", ()) for number in range(50)]
    moved = [Change("m", frozenset({Kind.MOVED, Kind.METADATA}), "NV", "s", ())]
    assert [change.image_id for change in choose(added + moved, 3)] == ["m", "a0", "a1"]
    assert len(choose(added + moved, 100)) == 51


@pytest.mark.parametrize("name", ["nosuch", "--upload-pack=x", "HEAD:dvc.yaml"])
def test_what_is_no_version_is_said_to_be_none(name: str, project: DataProject) -> None:
    assert "is neither a folder with a dataset nor a commit" in project("diff", "--", name, fails=True)


def test_a_folder_is_a_version_too_and_pixels_of_preprocess_have_no_page(project: DataProject, tmp_path: Path) -> None:
    assert "nothing differs" in project("diff", "data/validate", "HEAD")


def test_a_commit_before_the_data_names_none(project: DataProject) -> None:
    project.git("checkout", "--quiet", "--orphan", "empty")
    project.git("rm", "--quiet", "--cached", "dvc.lock")
    project.git("commit", "--quiet", "--message", "no data")
    assert "names no data/validate" in project("diff", "HEAD", fails=True)
