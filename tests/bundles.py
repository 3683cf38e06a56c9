"""Model bundles for tests: networks of a few numbers, untrained, that know the pictures of `tests.datasets`."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from components.bundle import CARD, FEATURES, MODEL, PARENT, WEIGHTS, Description, read_description, read_parent, write_bundle
from components.conformal import Conformal
from components.lesions import CODES, Diagnosis, Task
from components.refusal import REFUSED, Refusal
from tests.datasets import COLOURS, resize_alone

SKIN = np.array([232, 190, 165], np.float32) / 255 * 0.91


def classifier_bundle(
    root: Path,
    *,
    name: str = "tiny_classifier",
    sharpness: float = 400.0,
    size: tuple[int, int] = (32, 32),
    parameters: int = 32,
    bulk: int = 0,
    data_version: str = "d" * 64,
    conformal: Conformal | None = None,
    refusal: Refusal | None = None,
    explainable: bool = False,
) -> Path:
    """Write a classifier that compares an image's mean colour with each diagnosis's; with `sharpness` 0 it knows nothing.

    Args:
        root: the folder to write.
        name: the model's name.
        sharpness: how far a nearer colour outweighs the others.
        size: height, width of stored images.
        parameters: what it says of itself.
        bulk: bytes of random weights that it carries besides, in both files, to be as large as a real one.
        data_version: of the data that it says it was trained on.
        conformal: thresholds of the sets that it answers with.
        refusal: what tells images whose mean colour, its 3 features, is strange.
        explainable: whether it takes the mean as trained networks do, by pooling maps, so that Grad-CAM knows it.
    """
    centres = np.stack([0.8 * SKIN + 0.2 * np.array(COLOURS[one], np.float32) / 255 for one in Diagnosis])
    weights = (2 * sharpness * centres.T).astype(np.float32)
    bias = (-sharpness * (centres**2).sum(axis=1)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "weights"], ["products"]),
        helper.make_node("Add", ["products", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    if explainable:
        nodes[:3] = [
            helper.make_node("Transpose", ["image"], ["maps"], perm=[0, 3, 1, 2]),
            helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["colour"]),
            helper.make_node("Gemm", ["colour", "weights", "bias"], ["logits"]),
        ]
    constants = {"weights": weights, "bias": bias}
    if not explainable:
        constants["axes"] = np.array([1, 2], np.int64)
    model = _model(nodes, constants, ("probabilities", [None, len(CODES)]), bulk)
    description = _describe(name, Task.CLASSIFICATION, size, parameters, data_version)
    changes = {"conformal": conformal, "refuses": None if refusal is None else REFUSED}
    return _write(root, description.model_copy(update=changes), _with_features(model, "colour"), bulk, refusal)


def segmenter_bundle(
    root: Path,
    *,
    name: str = "tiny_segmenter",
    threshold: float = 0.35,
    size: tuple[int, int] = (32, 32),
    input_size: tuple[int, int] | None = None,
    parameters: int = 5,
    bulk: int = 0,
    data_version: str = "d" * 64,
) -> Path:
    """Write a segmenter that calls lesion what differs from the colour of skin by more than `threshold`, summed over channels."""
    nodes = [
        helper.make_node("Sub", ["image", "skin"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("ReduceSum", ["distance", "axes"], ["total"], keepdims=1),
        helper.make_node("Sub", ["total", "threshold"], ["excess"]),
        helper.make_node("Mul", ["excess", "slope"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["mask"]),
    ]
    constants = {"skin": SKIN, "axes": np.array([3], np.int64), "threshold": np.float32(threshold), "slope": np.float32(50)}
    model = _model(nodes, constants, ("mask", [None, None, None, 1]), bulk)
    description = _describe(name, Task.SEGMENTATION, size, parameters, data_version)
    return _write(root, description.model_copy(update={"input_size": input_size or size}), model, bulk)


def trained_on(bundle: Path, parent: Path) -> Path:
    """Make a bundle one that was trained on from another, which comes to lie in its `parent/`."""
    shutil.copytree(parent, bundle / PARENT)
    described = read_description(bundle).model_copy(update={"parent": read_parent(bundle)})
    weights = bundle / f"{WEIGHTS}.new"
    shutil.copyfile(bundle / WEIGHTS, weights)
    write_bundle(bundle, described, model=(bundle / MODEL).read_bytes(), weights=[weights], card=(bundle / CARD).read_text())
    weights.unlink()
    return bundle


def _describe(name: str, task: Task, size: tuple[int, int], parameters: int, data_version: str) -> Description:
    return Description(
        name=name,
        task=task,
        architecture=name,
        input_size=size,
        classes=CODES if task is Task.CLASSIFICATION else (),
        preprocess=resize_alone(size),
        mask_threshold=None if task is Task.CLASSIFICATION else 0.5,
        parameters_total=parameters,
        parameters_trainable=parameters,
        data_version=data_version,
        phantom=True,
        training={"models": [name], "epochs": 2, "learning_rate": 0.001, "overrides": {}, "input_size": None},
        libraries={"keras": "3.15.1"},
    )


def _model(
    nodes: list[onnx.NodeProto], constants: dict[str, npt.ArrayLike], output: tuple[str, list[int | None]], bulk: int
) -> bytes:
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, None, None, 3])
    answer = helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])
    tensors = [numpy_helper.from_array(np.asarray(value), label) for label, value in constants.items()]
    if bulk:
        noise = np.random.default_rng(0).random(bulk // 4, np.float32)
        tensors.append(numpy_helper.from_array(noise, "bulk"))
    graph = helper.make_graph(nodes, "tiny", [given], [answer], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def _with_features(model: bytes, name: str) -> bytes:
    """The model with one of its values, N x 3, as its features."""
    changed = onnx.ModelProto.FromString(model)
    changed.graph.node.append(helper.make_node("Identity", [name], [FEATURES]))
    changed.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [None, 3]))
    return changed.SerializeToString()


def _write(root: Path, description: Description, model: bytes, bulk: int, refusal: Refusal | None = None) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    weights = root / f"{WEIGHTS}.new"
    weights.write_bytes(description.name.encode() + np.random.default_rng(1).bytes(bulk))
    write_bundle(root, description, model=model, weights=[weights], card=f"# {description.name}\n", refusal=refusal)
    weights.unlink()
    return root
