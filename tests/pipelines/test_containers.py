"""What a step's container is given, as far as no container is needed to know it."""

from pathlib import Path

import pytest

from components.errors import MachineError
from components.params import Params, load_params
from pipelines.containers import check_images, whole_paths


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a data folder, a repository and a file of weights."""
    monkeypatch.chdir(tmp_path)
    for name in ("isic", "project"):
        (tmp_path / name).mkdir()
    (tmp_path / "net.weights.h5").touch()
    return tmp_path


def params(*sources: str, weights: str = "none") -> Params:
    digest = f"#sha256={'0' * 64}"
    spec = weights if weights == "none" else weights + digest
    return load_params(None, data=sources, assignments=[f"train_classifier.weights={spec!r}"]).params


def test_paths_of_this_machine_become_whole_and_no_name_changes(place: Path) -> None:
    given = params("isic", "dvc:project@v1:data", "phantom", "isic:2019", "s3://bucket/x", weights="net.weights.h5")
    whole = whole_paths(given)
    assert whole.ingest.sources == [f"{place}/isic", f"dvc:{place}/project@v1:data", "phantom", "isic:2019", "s3://bucket/x"]
    assert whole.train_classifier.weights == f"{place}/net.weights.h5#sha256={'0' * 64}"
    assert whole.ingest.identity() == given.ingest.identity()
    assert whole.train_classifier.identity() == given.train_classifier.identity()


def test_weights_of_one_architecture_become_whole_too(place: Path) -> None:
    spec = f"net.weights.h5#sha256={'0' * 64}"
    given = load_params(None, assignments=[f"train_classifier.overrides={{resnet50: {{weights: '{spec}'}}}}"]).params
    assert whole_paths(given).train_classifier.overrides["resnet50"]["weights"] == f"{place}/{spec}"


def test_a_link_to_a_data_folder_keeps_the_name_of_what_it_leads_to(place: Path) -> None:
    (place / "link").symlink_to(place / "isic")
    given = params("link")
    assert whole_paths(given).ingest.sources == [f"{place}/isic"]
    assert whole_paths(given).ingest.identity() == given.ingest.identity()


def test_without_docker_there_is_one_sentence_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(MachineError, match=r"no Docker answers at unix://.*none\.sock .*DOCKER_HOST") as told:
        check_images()
    assert "\n" not in str(told.value)
