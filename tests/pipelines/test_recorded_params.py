"""Parameters come back from MLflow's texts as they were."""

from pathlib import Path

import pytest

from components.errors import RunError
from components.params import load_params
from components.project import project_files
from pipelines.publish import flat, recorded
from pipelines.recorded_params import read_params

PROFILES = [None, *(file.stem for file in project_files("profiles", "*.yaml"))]


def texts(*assignments: str, profile: str | None = None, data: list[str] | None = None) -> dict[str, str]:
    params = load_params(profile=profile, assignments=list(assignments), data=data or []).params
    return flat(recorded(params.model_dump(mode="json", by_alias=True)))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_comes_back(profile: str | None) -> None:
    assert read_params(texts(profile=profile), "run") == load_params(profile=profile).params


def test_names_that_look_like_numbers_and_nested_values_come_back(tmp_path: Path) -> None:
    assignments = [
        "train_classifier.progressive=[{epochs: 1, size: [32, 32]}]",
        "train_classifier.overrides={resnet50: {batch_size: 8, mix: mixup, dropout: 0.5}}",
        "train_unet.stop_patience=3",
    ]
    data = [str(tmp_path / "2019"), "dvc:a's@v1:images"]
    found = read_params(texts(*assignments, data=data), "run")
    assert found == load_params(assignments=assignments, data=data).params
    assert read_params(texts() | {"register.experiment": "2024"}, "run").register_.experiment == "2024"


def test_parameters_of_another_program_say_which_and_the_way_out() -> None:
    known = texts() | {"train_classifier.mystery": "1"}
    with pytest.raises(RunError, match=r"run: its parameters .* \(train_classifier.mystery: .*\); check its commit out"):
        read_params(known, "run")
