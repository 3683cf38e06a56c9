from pathlib import Path

import pytest

from components import nvidia


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """What the driver lists on a machine of two cards."""
    for place, name in (("0000:01:00.0", "NVIDIA H100 80GB HBM3"), ("0000:02:00.0", "NVIDIA L4")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 11\n")
    return tmp_path


def test_gpus_are_those_that_the_driver_lists(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert nvidia.gpus(listed) == ["NVIDIA H100 80GB HBM3", "NVIDIA L4"]
    assert nvidia.gpus(listed / "absent") == []


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_gpus_that_are_hidden_are_none(listed: Path, monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert nvidia.gpus(listed) == []


@pytest.mark.parametrize(
    ("installed", "usable"), [(["tensorflow"], 2), (["tensorflow-cpu"], 0), (["tensorflow-cpu", "tensorflow"], 0), ([], 0)]
)
def test_they_are_used_by_one_of_tensorflows_packages_alone(
    listed: Path, monkeypatch: pytest.MonkeyPatch, installed: list[str], usable: int
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(nvidia, "tensorflow_packages", lambda: installed)
    assert len(nvidia.usable_gpus(listed)) == usable


def test_one_of_tensorflows_packages_is_installed_here() -> None:
    (package,) = nvidia.tensorflow_packages()
    assert package in nvidia.wanted_packages()
