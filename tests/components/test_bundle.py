"""The bundle: whole, checked to the byte, and enough to predict alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from components.bundle import PARENT, Bundle, is_whole, read_description, read_parent, write_bundle
from components.conformal import Conformal
from components.errors import BundleError, ImageFormatError
from components.lesions import CODES, Diagnosis, Task
from components.params import load_params
from components.preprocess.stages import preprocess_image
from components.project import project_file
from tests.bundles import classifier_bundle, segmenter_bundle
from tests.datasets import draw_lesion

FILES = ("bundle.json", "model.onnx", "weights.weights.h5", "MODEL_CARD.md")
# What a machine has that only serves: an import of either fails.
ALONE = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = sys.modules["onnx"] = None
from pathlib import Path
import numpy as np
from components.bundle import Bundle
images = np.load("images.npy")
np.save("answers.npy", Bundle.load(Path("bundle")).predict(list(images)))
"""


def lesions(size: tuple[int, int]) -> list[np.ndarray]:
    return [draw_lesion(code, size, np.random.default_rng(number))[0] for number, code in enumerate(Diagnosis)]


@pytest.mark.parametrize("make", [classifier_bundle, segmenter_bundle])
def test_it_predicts_alone_in_an_empty_folder_without_tensorflow(tmp_path: Path, make: type) -> None:
    images = np.stack(lesions((40, 56)))
    expected = Bundle.load(make(tmp_path / "made")).predict(list(images))
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.move(tmp_path / "made", alone / "bundle")
    np.save(alone / "images.npy", images)
    subprocess.run([sys.executable, "-c", ALONE], cwd=alone, check=True, timeout=120)
    np.testing.assert_array_equal(np.load(alone / "answers.npy"), expected)


def test_a_classifier_gives_probabilities_in_the_order_of_the_codes(tmp_path: Path) -> None:
    probabilities = Bundle.load(classifier_bundle(tmp_path)).predict(lesions((64, 80)))
    assert probabilities.shape == (8, 8)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    vascular, squamous = probabilities[-2:].argmax(axis=1)  # the pictures whose colours stand out most
    assert (CODES[vascular], CODES[squamous]) == ("VASC", "SCC")


def test_a_segmenter_gives_one_probability_a_pixel_at_the_size_of_the_model(tmp_path: Path) -> None:
    bundle = Bundle.load(segmenter_bundle(tmp_path, size=(32, 48), input_size=(16, 24)))
    image, mask = draw_lesion(Diagnosis.SCC, (64, 96), np.random.default_rng(0))
    (probabilities,) = bundle.predict([image])
    assert probabilities.shape == (16, 24)
    predicted, true = probabilities >= 0.5, mask[2::4, 2::4] == 255
    assert 2 * (predicted & true).sum() / (predicted.sum() + true.sum()) > 0.8


def test_raw_images_go_the_way_that_training_images_went(tmp_path: Path) -> None:
    bundle = Bundle.load(classifier_bundle(tmp_path, size=(48, 48)))
    settings = load_params(project_file("params.yaml")).params.preprocess.model_copy(update={"classification_size": (48, 48)})
    bundle.description = bundle.description.model_copy(update={"preprocess": settings})
    raw = lesions((70, 90))
    stored = np.stack([preprocess_image(image, (48, 48), settings) for image in raw])
    np.testing.assert_array_equal(bundle.predict(raw), bundle.predict_pixels(stored))


def test_images_of_different_sizes_may_come_together(tmp_path: Path) -> None:
    bundle = Bundle.load(classifier_bundle(tmp_path))
    small, large = lesions((40, 40))[0], lesions((90, 120))[1]
    together = bundle.predict([small, large])
    np.testing.assert_allclose(together[0], bundle.predict([small])[0], atol=1e-4)
    np.testing.assert_allclose(together[1], bundle.predict([large])[0], atol=1e-4)


def test_many_images_give_what_each_alone_gives(tmp_path: Path) -> None:
    bundle = Bundle.load(classifier_bundle(tmp_path))
    images = np.stack(lesions((32, 32)) * 9)  # 72: more than two batches
    one_by_one = np.concatenate([bundle.predict_pixels(image[None]) for image in images])
    np.testing.assert_allclose(bundle.predict_pixels(images), one_by_one, atol=1e-4)


def test_no_image_gives_no_answer(tmp_path: Path) -> None:
    assert Bundle.load(classifier_bundle(tmp_path / "c")).predict([]).shape == (0, 8)
    assert Bundle.load(segmenter_bundle(tmp_path / "s")).predict([]).shape == (0, 32, 32)


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 16, 32, 3), np.uint8), np.zeros((2, 32, 32, 3), np.float32), np.zeros((32, 32, 3), np.uint8)]
)
def test_pixels_of_another_size_or_type_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(ImageFormatError, match=r"tiny_classifier: was given .*; it wants N x 32 x 32 x 3 uint8"):
        Bundle.load(classifier_bundle(tmp_path)).predict_pixels(pixels)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0, 0.5, 0.9])
def test_a_changed_byte_of_any_file_is_an_error_that_names_the_file(tmp_path: Path, name: str, place: float) -> None:
    path = classifier_bundle(tmp_path) / name
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name}: "):
        Bundle.load(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_an_absent_file_is_an_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    (classifier_bundle(tmp_path) / name).unlink()
    with pytest.raises(BundleError, match=rf"{name}: does not exist"):
        Bundle.load(tmp_path)


def test_a_changed_order_of_classes_is_noticed(tmp_path: Path) -> None:
    path = classifier_bundle(tmp_path) / "bundle.json"
    path.write_text(path.read_text().replace('"MEL"', '"_"').replace('"NV"', '"MEL"').replace('"_"', '"NV"'))
    with pytest.raises(BundleError, match=r"bundle\.json: its bytes changed"):
        read_description(tmp_path)


def test_another_schema_version_is_an_error(tmp_path: Path) -> None:
    from components import bundle

    path = classifier_bundle(tmp_path) / "bundle.json"
    values = json.loads(path.read_text()) | {"schema_version": 2}
    digests = {name: digest for name, digest in values.pop("digests").items() if name != "bundle.json"}
    path.write_text(json.dumps(bundle._sealed(values, digests)))
    with pytest.raises(BundleError, match=r"schema_version: .* this program reads schema version 1"):
        read_description(tmp_path)


def test_the_description_comes_back_as_it_was_written(tmp_path: Path) -> None:
    description = read_description(segmenter_bundle(tmp_path, size=(32, 48), input_size=(16, 24)))
    assert description.task is Task.SEGMENTATION
    assert description.input_size == (16, 24)
    assert description.stored_size == (32, 48)
    assert description.mask_threshold == 0.5
    assert description.temperature is None
    assert description.phantom


def test_the_digests_are_those_of_sha256sum(tmp_path: Path) -> None:
    classifier_bundle(tmp_path)
    digests = json.loads((tmp_path / "bundle.json").read_text())["digests"]
    output = subprocess.run(["sha256sum", *FILES[1:]], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1]: line.split()[0] for line in output.splitlines()} == {name: digests[name] for name in FILES[1:]}


def test_the_same_model_gives_the_same_bundle(tmp_path: Path) -> None:
    for name in FILES:
        first, second = (classifier_bundle(tmp_path / side) / name for side in ("one", "other"))
        assert first.read_bytes() == second.read_bytes()


def test_a_bundle_is_whole_once_its_description_is_there(tmp_path: Path) -> None:
    assert not is_whole(tmp_path)
    assert is_whole(classifier_bundle(tmp_path))


def test_a_bundle_of_before_flips_members_and_libraries_is_read_as_one_without(tmp_path: Path) -> None:
    from components import bundle

    path = classifier_bundle(tmp_path) / "bundle.json"
    values = json.loads(path.read_text())
    digests = {name: digest for name, digest in values.pop("digests").items() if name != "bundle.json"}
    del values["test_flips"], values["members"], values["libraries"], values["out_of_fold"], values["segmenter_files"]
    del values["conformal"], values["refuses"], values["segmenter_saw_drawn"]
    path.write_text(json.dumps(bundle._sealed(values, digests)))
    described = Bundle.load(tmp_path).description
    assert (described.test_flips, described.members, described.weights) == (False, (), ("weights.weights.h5",))
    assert described.libraries == {}
    assert not Bundle.load(tmp_path).predict_or_refuse(lesions((32, 32)))[1].any()


def rebuilt(root: Path, out: Path, **changes: object) -> Path:
    """A bundle with changes to what it says of itself, and a file of weights for each member."""
    description = read_description(root).model_copy(update=changes)
    out.mkdir()
    weights = [out / f"made-{number}.h5" for number in range(len(description.weights))]
    for number, path in enumerate(weights):
        path.write_bytes(bytes([number]))
    write_bundle(out, description, model=(root / "model.onnx").read_bytes(), weights=weights, card="# mean\n")
    return out


def test_a_bundle_of_several_members_holds_the_weights_of_each(tmp_path: Path) -> None:
    out = rebuilt(classifier_bundle(tmp_path / "one"), tmp_path / "mean", members=("fold 0", "fold 1", "fold 2"))
    names = [f"weights-0{number}.weights.h5" for number in range(3)]
    description = Bundle.load(out).description
    assert list(description.weights) == names
    assert description.files == ("bundle.json", "model.onnx", *names, "MODEL_CARD.md")
    assert [(out / name).read_bytes() for name in names] == [b"\0", b"\1", b"\2"]
    (out / names[2]).unlink()
    with pytest.raises(BundleError, match=r"weights-02\.weights\.h5: does not exist"):
        Bundle.load(out)


def test_drawn_images_are_remembered_however_often_a_model_is_trained_on(tmp_path: Path) -> None:
    drawn = classifier_bundle(tmp_path / "drawn")
    photographs = rebuilt(drawn, tmp_path / "photographs", phantom=False)
    assert not read_description(photographs).saw_drawn
    for generation in range(3):
        shutil.copytree(drawn, tmp_path / f"next {generation}" / PARENT)
        parent = read_parent(tmp_path / f"next {generation}")
        assert len(parent.earlier) == generation
        drawn = rebuilt(photographs, tmp_path / f"child {generation}", phantom=False, parent=parent)
        assert read_description(drawn).saw_drawn


def test_as_many_weights_as_members_must_be_given(tmp_path: Path) -> None:
    description = read_description(classifier_bundle(tmp_path / "one")).model_copy(update={"members": ("fold 0", "fold 1")})
    (tmp_path / "only.h5").write_bytes(b"")
    with pytest.raises(ValueError, match="zip"):
        write_bundle(tmp_path / "out", description, model=b"", weights=[tmp_path / "only.h5"], card="")
    assert not is_whole(tmp_path / "out")


def test_a_bundle_whose_writing_was_killed_can_be_written_again(tmp_path: Path) -> None:
    one = classifier_bundle(tmp_path / "one")
    out = rebuilt(one, tmp_path / "out", members=("seed 1", "seed 2"))
    (out / "bundle.json").unlink()
    weights = [out / "made-0.h5", out / "made-1.h5"]
    description = read_description(one).model_copy(update={"members": ("seed 1", "seed 2")})
    write_bundle(out, description, model=(one / "model.onnx").read_bytes(), weights=weights, card="# mean\n")
    assert Bundle.load(out).description == description


def test_with_flips_a_segmenter_answers_the_mean_of_four_mirror_images_mirrored_back(tmp_path: Path) -> None:
    plain = one_sided_segmenter(tmp_path / "plain")
    flipped = Bundle.load(rebuilt(plain, tmp_path / "flipped", test_flips=True))
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 18, 3), dtype=np.uint8)
    # Its answer is the red of the pixel to the left, at the edge its own; to the mirror image, mirrored back, that to the right.
    red = images[..., 0] / 255
    left, right = (np.concatenate(parts, axis=2) for parts in ((red[..., :1], red[..., :-1]), (red[..., 1:], red[..., -1:])))
    np.testing.assert_allclose(Bundle.load(plain).predict_pixels(images), left, atol=1e-6)
    np.testing.assert_allclose(flipped.predict_pixels(images), (left + right) / 2, atol=1e-6)
    np.testing.assert_allclose(flipped.predict(list(images)), flipped.predict_pixels(images))


def test_with_flips_a_classifier_answers_the_mean_of_four_mirror_images(tmp_path: Path) -> None:
    # One that looks at the upper left corner alone.
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    plain = corner_classifier(tmp_path / "plain")
    flipped = Bundle.load(rebuilt(plain, tmp_path / "flipped", test_flips=True)).predict_pixels(images)
    views = [images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1]]
    each = [Bundle.load(plain).predict_pixels(np.ascontiguousarray(view)) for view in views]
    assert np.ptp(each, axis=0).max() > 0.01
    np.testing.assert_allclose(flipped, np.mean(each, axis=0), atol=1e-6)


def with_network(root: Path, out: Path, nodes: list[onnx.NodeProto], constants: dict[str, list[int]], output: str) -> Path:
    """A bundle with another network in it."""
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, None, None, 3])
    answer = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", [given], [answer], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    weights = out.parent / f"{out.name}.h5"
    weights.write_bytes(b"")
    write_bundle(out, read_description(root), model=model.SerializeToString(), weights=[weights], card="")
    return out


def one_sided_segmenter(out: Path) -> Path:
    """Answers the red of the pixel to the left."""
    nodes = [
        helper.make_node("Pad", ["image", "pads"], ["padded"], mode="edge"),
        helper.make_node("Slice", ["padded", "starts", "ends", "axes"], ["mask"]),
    ]
    constants = {"pads": [0, 0, 1, 0, 0, 0, 0, 0], "starts": [0, 0], "ends": [-1, 1], "axes": [2, 3]}
    base = segmenter_bundle(out.parent / f"{out.name}-base", size=(16, 18))
    return with_network(base, out, nodes, constants, "mask")


def corner_classifier(out: Path) -> Path:
    """Answers the softmax of the first pixel's colours, of which it has eight by taking some twice."""
    nodes = [
        helper.make_node("Slice", ["image", "starts", "ends", "axes"], ["corner"]),
        helper.make_node("Reshape", ["corner", "shape"], ["colour"]),
        helper.make_node("Gather", ["colour", "taken"], ["logits"], axis=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    constants = {"starts": [0, 0], "ends": [1, 1], "axes": [1, 2], "shape": [-1, 3], "taken": [0, 1, 2, 0, 1, 2, 0, 1]}
    return with_network(classifier_bundle(out.parent / f"{out.name}-base"), out, nodes, constants, "probabilities")


def test_a_temperature_changes_how_sure_it_is_and_never_its_decision(tmp_path: Path) -> None:
    plain = classifier_bundle(tmp_path / "plain", sharpness=40)
    warm = rebuilt(plain, tmp_path / "warm", temperature=2.0)
    before, after = (Bundle.load(path).predict(lesions((32, 32))) for path in (plain, warm))
    wanted = np.sqrt(before) / np.sqrt(before).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(after, wanted, atol=1e-6)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    assert (after.max(axis=1) < before.max(axis=1)).all()


def test_what_was_calibrated_comes_back_as_it_was_written(tmp_path: Path) -> None:
    sets = Conformal(level=0.9, least=dict.fromkeys(CODES, 0.1 + 0.2), own=("MEL", "NV"))
    out = rebuilt(classifier_bundle(tmp_path / "plain"), tmp_path / "out", temperature=1.25, conformal=sets)
    described = Bundle.load(out).description
    assert (described.temperature, described.conformal) == (1.25, sets)


def test_a_temperature_of_nothing_is_refused(tmp_path: Path) -> None:
    out = rebuilt(classifier_bundle(tmp_path / "plain"), tmp_path / "out", temperature=0.0)
    with pytest.raises(BundleError, match=r"bundle\.json: temperature"):
        read_description(out)
