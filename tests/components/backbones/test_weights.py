"""What a network starts from: published weights, a file with its digest, or nothing; and what is said where they cannot be had."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from components.backbones import efficientnet_lite, registry
from components.bundle import bundle_digest, read_description, write_bundle
from components.errors import BundleError, WeightsError
from components.params import bundle_weights
from components.train_classifier.registry import build as build_classifier
from components.train_classifier.registry import load_weights as load_classifier_weights
from components.train_unet.registry import build as build_segmenter
from components.train_unet.registry import load_weights as load_segmenter_weights
from components.training.devices import start_afresh
from tests.bundles import classifier_bundle

NO_PARENT = Path("parent")


def load_classifier(name: str, classifier: Any, spec: str) -> None:
    load_classifier_weights(name, classifier, spec, NO_PARENT, 0)


def load_segmenter(name: str, model: Any, spec: str) -> None:
    load_segmenter_weights(name, model, spec, NO_PARENT, 0)


def of_file(path: Path) -> str:
    return f"{path}#sha256={sha256(path.read_bytes()).hexdigest()}"


def saved(model: Any, path: Path) -> str:
    model.save_weights(path)
    return of_file(path)


def tiny(seed: int, size: Any = (16, 16)) -> Any:
    start_afresh(seed)
    return build_classifier("tiny_cnn", size, 0.3)


def differences(model: Any, other: Any) -> Iterator[bool]:
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        yield not np.array_equal(ours, theirs)


def test_a_file_of_the_same_architecture_gives_all_its_weights(tmp_path: Path) -> None:
    trained, fresh = tiny(1), tiny(2)
    load_classifier("tiny_cnn", fresh, saved(trained.model, tmp_path / "a.weights.h5"))
    assert not any(differences(fresh.model, trained.model))


def test_a_file_of_the_backbone_gives_the_backbone_its_weights_and_leaves_the_head(tmp_path: Path) -> None:
    trained, fresh, untouched = tiny(1), tiny(2), tiny(2)
    load_classifier("tiny_cnn", fresh, saved(trained.backbone, tmp_path / "a.weights.h5"))
    assert not any(differences(fresh.backbone, trained.backbone))
    assert not any(differences(fresh.head, untouched.head))


def test_a_classifiers_backbone_becomes_a_segmenters_encoder(tmp_path: Path) -> None:
    backbone = registry.build("efficientnet_lite0", (32, 32))
    backbone.set_weights([weights + 0.5 for weights in backbone.get_weights()])
    segmenter = build_segmenter("unet_efficientnet_lite0", (32, 32), 0.1)
    last = segmenter.get_layer("mask").get_weights()
    load_segmenter("unet_efficientnet_lite0", segmenter, saved(backbone, tmp_path / "a.weights.h5"))
    for name in ("_conv_stem", "_blocks.15._project_conv", "_blocks.15._bn2"):
        for ours, theirs in zip(segmenter.get_layer(name).get_weights(), backbone.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(segmenter.get_layer("mask").get_weights()[0], last[0])


def test_none_leaves_the_weights_as_they_are() -> None:
    fresh, untouched = tiny(2), tiny(2)
    load_classifier("tiny_cnn", fresh, "none")
    assert not any(differences(fresh.model, untouched.model))


def test_published_weights_reach_a_classifier_and_a_segmenter() -> None:
    stem = np.transpose(efficientnet_lite.read_published("efficientnet_lite0")["_conv_stem.weight"], (2, 3, 1, 0))
    classifier = build_classifier("efficientnet_lite0", (32, 32), 0.2)
    load_classifier("efficientnet_lite0", classifier, "imagenet")
    segmenter = build_segmenter("unet_efficientnet_lite0", (32, 32), 0.1)
    load_segmenter("unet_efficientnet_lite0", segmenter, "imagenet")
    for model in (classifier.backbone, segmenter):
        np.testing.assert_array_equal(model.get_layer("_conv_stem").get_weights()[0], stem)


@pytest.mark.parametrize(
    ("section", "name", "load"),
    [
        ("train_classifier", "tiny_cnn", lambda: load_classifier("tiny_cnn", tiny(0), "imagenet")),
        ("train_unet", "unet_tiny", lambda: load_segmenter("unet_tiny", build_segmenter("unet_tiny", (8, 8), 0.1), "imagenet")),
    ],
)
def test_where_there_are_no_published_weights_it_says_whose_this_machine_has(section: str, name: str, load: Any) -> None:
    wanted = rf"{name}: nobody trained it on ImageNet; .* has: efficientnet_lite0, .*--set {section}\.weights=none"
    with pytest.raises(WeightsError, match=wanted):
        load()


def test_a_file_with_another_digest_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"anything")
    monkeypatch.setattr(h5py, "File", lambda *args: pytest.fail("it was opened"))
    found = sha256(b"anything").hexdigest()
    with pytest.raises(WeightsError, match=rf"train_classifier\.weights: .*a\.weights\.h5 has the SHA-256 {found}, not 0000"):
        load_classifier("tiny_cnn", tiny(0), f"{path}#sha256={'0' * 64}")


@pytest.mark.parametrize("name", ["model.keras", "model.pkl", "model.h5", "model.pth"])
def test_no_archive_and_no_pickle_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"anything")
    with pytest.raises(WeightsError, match=r"is no \.weights\.h5 file; only arrays are read, no Keras archive and no pickle"):
        load_classifier("tiny_cnn", tiny(0), of_file(path))


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.weights\.h5 cannot be read \(No such file"):
        load_classifier("tiny_cnn", tiny(0), f"{tmp_path / 'none.weights.h5'}#sha256={'0' * 64}")


def test_weights_of_another_architecture_are_refused_with_both_sizes(tmp_path: Path) -> None:
    spec = saved(build_segmenter("unet_tiny", (8, 8), 0.1), tmp_path / "a.weights.h5")
    with pytest.raises(WeightsError, match="holds 7,465 parameters, but tiny_cnn has 14,296 and its backbone 1,488"):
        load_classifier("tiny_cnn", tiny(0), spec)


def test_as_many_weights_in_other_shapes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    tiny(1).model.save_weights(path)
    with h5py.File(path, "a") as opened:
        kernel = opened["layers/dense/vars/0"][:]
        del opened["layers/dense/vars/0"]
        opened["layers/dense/vars/0"] = kernel.T
    with pytest.raises(WeightsError, match="does not fit the architecture"):
        load_classifier("tiny_cnn", tiny(0), of_file(path))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_file_is_a_typed_error(share: float, tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    tiny(1).model.save_weights(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"is no file of Keras weights|does not fit"):
        load_classifier("tiny_cnn", tiny(0), of_file(path))


def test_an_optimizers_state_in_the_file_does_not_count(tmp_path: Path) -> None:
    trained, fresh = tiny(1), tiny(2)
    trained.model.compile("adam", "categorical_crossentropy", run_eagerly=True)
    trained.model.train_on_batch(np.zeros((1, 16, 16, 3), np.float32), np.eye(8, dtype=np.float32)[:1])
    load_classifier("tiny_cnn", fresh, saved(trained.model, tmp_path / "a.weights.h5"))
    assert not any(differences(fresh.model, trained.model))


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a tiny_cnn whose weights are drawn from the seed 1."""
    return bundle_of_members(tmp_path_factory.mktemp("parent"), [tiny(1).model])


def bundle_of_members(root: Path, models: list[Any]) -> Path:
    described = read_description(classifier_bundle(root / "described", name="tiny_cnn"))
    members = tuple(f"seed {number}" for number in range(len(models))) if len(models) > 1 else ()
    files = [root / f"{number}.weights.h5" for number in range(len(models))]
    for model, file in zip(models, files, strict=True):
        model.save_weights(file)
    write_bundle(root / "bundle", described.model_copy(update={"members": members}), model=b"", weights=files, card="")
    return root / "bundle"


def test_a_bundle_gives_all_its_weights_whatever_the_size(parent: Path) -> None:
    fresh = tiny(2, (24, 32))
    load_classifier_weights("tiny_cnn", fresh, bundle_weights("lesion-classifier/7", bundle_digest(parent)), parent, 0)
    assert not any(differences(fresh.model, tiny(1).model))


def test_of_a_mean_of_several_models_each_can_be_taken(tmp_path: Path) -> None:
    mean = bundle_of_members(tmp_path, [tiny(3).model, tiny(4).model])
    fresh = tiny(2)
    load_classifier_weights("tiny_cnn", fresh, f"bundle#sha256={bundle_digest(mean)}", mean, 1)
    assert not any(differences(fresh.model, tiny(4).model))


def test_another_bundle_than_the_one_that_was_asked_for_is_refused(parent: Path) -> None:
    with pytest.raises(WeightsError, match=rf"is the bundle {bundle_digest(parent)}, not 0000"):
        load_classifier_weights("tiny_cnn", tiny(2), bundle_weights("lesion-classifier/7", "0" * 64), parent, 0)


def test_a_bundle_of_another_architecture_is_refused(parent: Path) -> None:
    model = build_segmenter("unet_tiny", (8, 8), 0.1)
    with pytest.raises(WeightsError, match=r"train_unet\.weights: .* is a tiny_cnn, not a unet_tiny"):
        load_segmenter_weights("unet_tiny", model, bundle_weights("lesion-classifier/7", bundle_digest(parent)), parent, 0)


def test_a_bundle_that_is_not_there_is_named() -> None:
    with pytest.raises(BundleError, match=r"parent/bundle\.json: does not exist"):
        load_classifier_weights("tiny_cnn", tiny(2), bundle_weights("lesion-classifier/7", "0" * 64), NO_PARENT, 0)
