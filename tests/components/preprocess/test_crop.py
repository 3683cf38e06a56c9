"""Segment, then classify: images are cropped by a segmenter, which travels with the dataset and with what learns from it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from components.augment_balance import augment_balance
from components.bundle import Bundle, read_description
from components.dataset import Dataset
from components.errors import BundleError
from components.images import decode_image
from components.lesions import Split, Task
from components.params import AugmentBalanceParams, PreprocessParams, bundle_weights, load_params
from components.preprocess import preprocess
from components.preprocess.stages import preprocess_image
from components.project import project_file
from components.reporter import Reporter
from tests.bundles import segmenter_bundle
from tests.datasets import encoded_dataset
from tests.trainings import Data, classifier_params, train_tiny


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoded_dataset(tmp_path_factory.mktemp("data") / "validated", per_class=3, source="photographs")


def cropping(params: PreprocessParams, version: str = "lesion-segmenter/1") -> PreprocessParams:
    return params.model_copy(update={"segmenter": bundle_weights(version, "a" * 64), "crop_margin": 0.25})


def preprocessed(encoded: Path, out: Path, params: PreprocessParams) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    if params.segmenter:
        segmenter_bundle(out / "segmenter")
    preprocess(encoded, out, params, Reporter(out, "preprocess"))
    return out


def test_classifier_images_are_cropped_and_segmenter_images_are_not(
    encoded: Path, tmp_path: Path, small_params: PreprocessParams
) -> None:
    params = cropping(small_params)
    whole = Dataset(preprocessed(encoded, tmp_path / "whole", small_params))
    cropped = Dataset(preprocessed(encoded, tmp_path / "cropped", params))
    source, segmenter = Dataset(encoded), Bundle.load(tmp_path / "cropped" / "segmenter")
    rows, size = source.rows(Task.CLASSIFICATION), params.classification_size
    raw = [decode_image(source.image_bytes(row), "") for _, row in rows.iterrows()]
    cuts = segmenter.crop_to_lesion(raw, margin=0.25, size=size)
    assert sum(cut.size < image.size for cut, image in zip(cuts, raw, strict=True)) >= 5
    expected = [preprocess_image(cut, size, params) for cut in cuts]
    np.testing.assert_array_equal(cropped.images(cropped.rows(Task.CLASSIFICATION)), expected)
    shards = [set(data.rows(Task.SEGMENTATION)["shard"]) for data in (whole, cropped)]
    assert shards[0] == shards[1]
    assert cropped.version == whole.version


def test_the_number_of_the_segmenter_decides_nothing_but_its_digest_does(small_params: PreprocessParams) -> None:
    one, other = cropping(small_params, "lesion-segmenter/1"), cropping(small_params, "lesion-segmenter/2")
    assert one.identity() == other.identity() != small_params.identity()
    another = small_params.model_copy(update={"segmenter": bundle_weights("lesion-segmenter/1", "b" * 64), "crop_margin": 0.25})
    assert another.identity() != one.identity()


@pytest.fixture(scope="module")
def trained(encoded: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset whose images are cropped, and the folder of a classifier that learned from it."""
    root = tmp_path_factory.mktemp("trained")
    section = load_params(project_file("params.yaml"), profile="report").params
    sizes = {"classification_size": (32, 40), "segmentation_size": (40, 48), "hair_kernel": 5}
    dataset = preprocessed(encoded, root / "dataset", cropping(section.preprocess.model_copy(update=sizes)))
    plan = root / "plan"
    plan.mkdir()
    balance: AugmentBalanceParams = section.augment_balance
    augment_balance(dataset, plan, balance, Reporter(plan, "augment_balance"))
    out = train_tiny(Data(dataset, plan), root / "model", classifier_params(frozen_epochs=0, epochs=1))
    return dataset, out


def test_a_classifier_crops_raw_images_as_training_did(encoded: Path, trained: tuple[Path, Path], tmp_path: Path) -> None:
    dataset, model = trained
    alone = Bundle.load(Path(shutil.copytree(model, tmp_path / "alone")))
    source, pixels = Dataset(encoded), Dataset(dataset)
    rows = source.rows(Task.CLASSIFICATION, Split.TEST)
    raw = [decode_image(source.image_bytes(row), "") for _, row in rows.iterrows()]
    np.testing.assert_array_equal(
        alone.predict(raw), alone.predict_pixels(pixels.images(pixels.rows(Task.CLASSIFICATION, Split.TEST)))
    )


def test_the_card_says_that_images_are_cropped(trained: tuple[Path, Path]) -> None:
    assert "cropped to the lesion that the segmenter in `segmenter/` finds, with 25% around it" in (
        trained[1] / "MODEL_CARD.md"
    ).read_text(encoding="utf-8")


def test_a_classifier_that_a_segmenter_crops_for_learned_from_what_that_did(trained: tuple[Path, Path]) -> None:
    description = read_description(trained[1])
    assert not description.phantom
    assert read_description(trained[0] / "segmenter").phantom
    assert description.saw_drawn
    assert "Trained on drawn images (phantom)" in (trained[1] / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_a_changed_byte_of_the_segmenter_is_found(trained: tuple[Path, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained[1], tmp_path / "copy"))
    model = copy / "segmenter" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    with pytest.raises(BundleError, match=r"segmenter/model.onnx: its bytes changed"):
        Bundle.load(copy)
