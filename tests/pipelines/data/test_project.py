"""Versions sent to real remotes and fetched from them: a folder, and SeaweedFS through S3."""

import shutil
from pathlib import Path

import pytest

from components.dataset import Dataset
from components.lesions import Task
from tests.data_project import DataProject
from tests.seaweedfs import S3Server


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in (root / "data").rglob("*") if path.is_file()}


def add_remote(clone: DataProject, url: str) -> None:
    clone.dvc("remote", "add", "--local", "--default", "team", url)


def test_the_first_push_sets_a_remote_in_the_home_and_a_clone_pulls_the_same_bytes(project: DataProject, tmp_path: Path) -> None:
    told = project("push")
    assert f"{tmp_path / 'home' / 'remote'}" in told
    assert project.git("status", "--porcelain") == ""
    assert "nothing to do" in project("push")
    clone = project.clone(tmp_path / "clone", tmp_path / "other")
    add_remote(clone, str(tmp_path / "home" / "remote"))
    clone("pull")
    assert files(clone.root) == files(project.root)
    assert "nothing to do" in clone("pull")


def test_a_pull_without_a_remote_says_how_to_set_one(project: DataProject, tmp_path: Path) -> None:
    assert "dvc remote add --default" in project.clone(tmp_path / "clone", tmp_path / "home")("pull", fails=True)


def test_a_version_that_lies_nowhere_is_not_called_pushed(project: DataProject) -> None:
    project.dvc("remote", "add", "--local", "--default", "team", str(project.home / "remote"))
    shutil.rmtree(project.root / ".dvc/cache")
    assert "neither in DVC's cache nor in the remote" in project("push", fails=True)
    assert "neither in DVC's cache nor in the remote" in project("pull", fails=True)
    assert "lost" in project("status")


def test_remotes_without_a_default_are_not_chosen_from(project: DataProject) -> None:
    project.dvc("remote", "add", "team", str(project.home / "remote"))
    assert "none of them the default" in project("push", fails=True)


def test_outside_a_project_it_says_so(tmp_path: Path) -> None:
    folder = DataProject(tmp_path, tmp_path / "home")
    assert "is no project whose data DVC versions" in folder("status", fails=True)


def test_the_status_follows_what_is_committed_and_pushed(project: DataProject) -> None:
    assert "no remote is set yet" in project("status")
    project("push")
    assert "all is committed, and all is in home" in project("status")
    project.change(T_MEL_000_0="NV")
    assert "data/validate: differs from what dvc.lock says" in project("status")
    project.dvc("commit", "--quiet", "--force")
    told = project("status")
    assert "not committed: dvc.lock" in told
    assert "not pushed: 2 files" in told  # the manifest, and the list of the folder


def test_the_log_names_each_version_of_the_data_newest_first(project: DataProject) -> None:
    first = project("log")
    assert "classification 64, segmentation 64" in first
    assert "train 32, val 16, test 16" in first
    assert "first images" in first
    assert "Ada" in first
    (project.root / "params.yaml").write_text("{}\n")
    project.commit("nothing of the data")
    project.change(T_MEL_000_0="NV", T_NV_000_0="DROP")
    project.commit("one relabelled, one out")
    lines = [line for line in project("log").splitlines() if "Ada" in line]
    assert ["one relabelled, one out" in lines[0], "first images" in lines[1], len(lines)] == [True, True, 2]
    assert "classification 63" in lines[0]


def on_s3(project: DataProject, server: S3Server, bucket: str) -> None:
    project.dvc("remote", "add", "--default", "team", f"s3://{server.bucket(bucket)}/data")
    project.dvc("remote", "modify", "team", "endpointurl", server.endpoint)
    project.git("commit", "--quiet", "--all", "--message", "the team's remote")


def test_a_team_shares_versions_through_s3(project: DataProject, s3_server: S3Server, tmp_path: Path) -> None:
    on_s3(project, s3_server, "versions")
    assert "s3://versions/data" in project.shell("push", **s3_server.environment)
    clone = project.clone(tmp_path / "clone", tmp_path / "other")
    # Neither in the cache nor checked out: read from the remote, that the first commit did not know of yet.
    assert "classification 64" in clone.shell("log", **s3_server.environment)
    assert "nothing differs" in clone.shell("diff", "HEAD", "HEAD", **s3_server.environment)
    clone.shell("pull", **s3_server.environment)
    assert files(clone.root) == files(project.root)
    assert "all is committed, and all is in team" in clone.shell("status", **s3_server.environment)


@pytest.mark.slow
def test_a_withdrawal_reaches_s3_and_keeps_the_other_images_there(
    project: DataProject, s3_server: S3Server, tmp_path: Path
) -> None:
    on_s3(project, s3_server, "withdrawals")
    project.shell("push", **s3_server.environment)
    dataset = Dataset(project.root / "data/validate")
    row = dataset.rows(Task.SEGMENTATION).iloc[0]
    pieces = [dataset.image_bytes(row)[-300:-10], dataset.mask_bytes(row)[30:]]
    assert any(piece in data for data in objects(s3_server, "withdrawals") for piece in pieces)
    project.shell("withdraw", str(row["image_id"]), "--yes", **s3_server.environment)
    assert not any(piece in data for data in objects(s3_server, "withdrawals") for piece in pieces)
    project.git("commit", "--quiet", "--all", "--message", "withdrawn")
    clone = project.clone(tmp_path / "clone", tmp_path / "other")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        clone.dvc("pull", "ingest")
    assert len(Dataset(clone.root / "data/ingest").rows(Task.SEGMENTATION)) == 63


def objects(server: S3Server, bucket: str) -> list[bytes]:
    client = server.client()
    found = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in found]


@pytest.mark.slow
def test_s3_without_credentials_and_without_an_answer_says_one_sentence(project: DataProject, s3_server: S3Server) -> None:
    on_s3(project, s3_server, "refused")
    nobody = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "wrong", "AWS_DEFAULT_REGION": "us-east-1"}
    assert "pushing to remote team (s3://refused/data) failed" in project.shell("push", fails=True, **nobody)
    project.dvc("remote", "modify", "team", "endpointurl", "http://127.0.0.1:9")
    assert "pushing to remote team (s3://refused/data) failed" in project.shell("push", fails=True, **s3_server.environment)
