"""The step on a small drawn dataset."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from components.augment_balance.reader import read_rows
from components.bundle import Bundle, bundle_digest
from components.dataset import Dataset, write_manifest
from components.errors import DatasetError, ParamsError
from components.lesions import Split, Task
from components.params import Stage, bundle_weights
from components.train_unet.registry import build
from tests.trainings import Data, make_data, train_tiny, unet_params


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return make_data(tmp_path_factory.mktemp("data"), per_class=4, size=(32, 32))


@pytest.fixture(scope="module")
def trained(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    params = unet_params(epochs=6, input_size=(16, 24), seed=5)
    return train_tiny(data, tmp_path_factory.mktemp("trained") / "out", params)


def val_dice(bundle: Bundle, data: Data, size: tuple[int, int]) -> float:
    """Mean Dice over the images of val, by numpy."""
    dataset = Dataset(data.dataset)
    (batch,) = read_rows(dataset, Task.SEGMENTATION, dataset.rows(Task.SEGMENTATION, Split.VAL), size, 1000)
    true = batch.targets[..., 0] == 1
    predicted = bundle.predict_pixels(dataset.images(dataset.rows(Task.SEGMENTATION, Split.VAL))) >= 0.5
    overlap = (true & predicted).sum(axis=(1, 2))
    return float(np.mean((2 * overlap + 1) / (true.sum(axis=(1, 2)) + predicted.sum(axis=(1, 2)) + 1)))


def test_it_learns(data: Data, trained: Path) -> None:
    assert val_dice(Bundle.load(trained), data, (16, 24)) > 0.6


def test_the_bundle_holds_the_weights_of_the_best_epoch(data: Data, trained: Path) -> None:
    epochs = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    best = min((epoch["values"] for epoch in epochs if epoch["epoch"] is not None), key=lambda values: values["val_loss"])
    assert val_dice(Bundle.load(trained), data, (16, 24)) == pytest.approx(best["val_dice"], abs=1e-4)


def test_the_weights_for_keras_are_those_of_the_onnx_model(data: Data, trained: Path) -> None:
    bundle, dataset = Bundle.load(trained), Dataset(data.dataset)
    model = build("unet_tiny", (16, 24), 0.1)
    model.load_weights(trained / "weights.weights.h5")
    (batch,) = read_rows(dataset, Task.SEGMENTATION, dataset.rows(Task.SEGMENTATION, Split.VAL), (16, 24), 1000)
    ours = bundle.predict_pixels(dataset.images(dataset.rows(Task.SEGMENTATION, Split.VAL)))
    np.testing.assert_allclose(ours, np.array(model(batch.images, training=False))[..., 0], atol=1e-4)


def test_the_bundle_says_what_it_is_and_what_it_was_trained_on(data: Data, trained: Path) -> None:
    described = Bundle.load(trained).description
    assert (described.name, described.task, described.architecture) == ("unet_tiny", Task.SEGMENTATION, "unet_tiny")
    assert (described.input_size, described.stored_size) == ((16, 24), (32, 32))
    assert (described.parameters_total, described.parameters_trainable) == (7_465, 7_337)
    assert described.data_version == Dataset(data.dataset).version
    assert described.mask_threshold == 0.5
    assert described.training["learning_rate"] == 0.01
    assert described.phantom
    assert described.libraries["keras"] == keras.__version__
    assert set(described.libraries) == {"python", "numpy", "opencv", "tensorflow", "keras", "onnx", "onnxruntime"}
    assert f"keras {keras.__version__}" in (trained / "MODEL_CARD.md").read_text()


def test_no_path_of_this_machine_is_in_the_bundle(data: Data, trained: Path) -> None:
    for file in trained.rglob("*"):
        assert not file.is_file() or str(data.dataset.parent).encode() not in file.read_bytes(), file


def test_the_parameters_stand_in_the_metrics(trained: Path) -> None:
    first = json.loads((trained / "metrics.jsonl").read_text().splitlines()[0])
    assert first["values"] == {"parameters_total": 7_465, "parameters_trainable": 7_337}


def test_a_finished_step_that_is_called_again_trains_nothing(data: Data, trained: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()}
    train_tiny(data, trained, unet_params(epochs=6, input_size=(16, 24), seed=5))
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()} == before


def test_checkpoints_that_a_kill_left_beside_the_whole_bundle_are_removed(data: Data, trained: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(trained, tmp_path / "out"))
    (out / "members/00/checkpoints").mkdir(parents=True)
    (out / "members/00/checkpoints/0006.npz").write_bytes(b"left")
    train_tiny(data, out, unet_params(epochs=6, input_size=(16, 24), seed=5))
    assert not (out / "members").exists()


def test_an_unknown_architecture_is_an_error(data: Data, tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="unet_huge is no architecture"):
        train_tiny(data, tmp_path / "out", unet_params("unet_huge"))


def test_a_stage_of_a_size_that_does_not_halve_is_an_error_before_anything_is_trained(data: Data, tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"train_unet\.progressive\.0\.size is 17 x 24, but unet_tiny needs multiples of 2"):
        train_tiny(data, tmp_path / "out", unet_params(progressive=[Stage(epochs=1, size=(17, 24))]))
    assert not list((tmp_path / "out").iterdir())


def test_without_val_images_there_is_nothing_to_judge_by(tmp_path: Path) -> None:
    data = make_data(tmp_path)
    manifest = Dataset(data.dataset).manifest
    write_manifest(data.dataset, manifest[manifest["split"] != "val"])
    with pytest.raises(DatasetError, match="segmentation has no val images"):
        train_tiny(data, tmp_path / "out", unet_params())


def test_it_goes_on_from_a_bundle_at_another_size(data: Data, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "out" / "parent")
    weights = bundle_weights("lesion-segmenter/1", bundle_digest(trained))
    out = train_tiny(data, tmp_path / "out", unet_params(epochs=1, input_size=(32, 32), learning_rate=1e-4, weights=weights))
    assert val_dice(Bundle.load(out), data, (32, 32)) > 0.5
    assert Bundle.load(out).description.parent.digest == bundle_digest(trained)
