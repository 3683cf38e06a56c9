"""Grad-CAM from ONNX against TensorFlow's gradients, and what is told of it."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from onnx import ModelProto, helper

from components.backbones import tiny_cnn
from components.bundle import Bundle
from components.dataset import Dataset
from components.evaluate import evaluate
from components.evaluate.explanation import Explained, draw_explained, explain, measure_explanation
from components.evaluate.judged import answered, rows_to_predict, split_judged
from components.grad_cam import GradCam
from components.lesions import Task
from components.params import EvaluateParams
from components.reporter import Reporter
from components.scores import read_scores
from components.train_classifier.head import attach_head, published_head, report_head, soft_attention_head
from components.training.ensemble import average
from components.training.onnx_export import export_onnx
from tests.bundles import classifier_bundle
from tests.trainings import classifier_params, make_data, train_tiny

SIZE = (24, 16)


def network(head: str, seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    backbone = tiny_cnn.build("tiny_cnn", SIZE)
    if head == "soft_attention_head":
        backbone = keras.Model(backbone.input, backbone.layers[-1].input)
    heads = {"report_head": report_head, "published_head": published_head, "soft_attention_head": soft_attention_head}
    return attach_head(backbone, heads[head](0.3)).model


def by_tensorflow(model: keras.Model, pixels: np.ndarray, diagnoses: np.ndarray) -> np.ndarray:
    """Grad-CAM as it is written down: gradients of the logit at the maps, their means, the weighted sum, its positive part."""
    (pool,) = [layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D)]
    last = model.layers[-1]
    parts = keras.Model(model.input, [pool.input, last.input])
    with tf.GradientTape() as tape:
        maps, features = parts(pixels.astype(np.float32) / 255, training=False)
        logits = features @ last.kernel + last.bias
        told = tf.reduce_sum(tf.gather(logits, diagnoses, batch_dims=1))
    weights = tf.reduce_mean(tape.gradient(told, maps), axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)).numpy()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, *SIZE, 3), np.uint8)


DIAGNOSES = np.array([0, 3, 7, 3, 1])


@pytest.mark.parametrize("head", ["report_head", "published_head", "soft_attention_head"])
def test_maps_are_those_of_tensorflows_gradients(head, pixels):
    model = network(head)
    camera = GradCam.of_model(export_onnx(model, "probabilities"), SIZE)
    expected = by_tensorflow(model, pixels, DIAGNOSES)
    assert camera.knows
    assert expected.max() > 0
    np.testing.assert_allclose(camera.maps(pixels, DIAGNOSES), expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_what_a_network_gives_out_beside_its_answer_changes_nothing(pixels):
    network_alone = ModelProto.FromString(export_onnx(network("report_head"), "probabilities"))
    last = next(node for node in network_alone.graph.node if node.op_type == "Softmax").input[0]
    (dense,) = [node for node in network_alone.graph.node if node.output[0] == last]
    expected = GradCam.of_model(network_alone.SerializeToString(), SIZE).maps(pixels, DIAGNOSES)
    network_alone.graph.node.append(helper.make_node("Identity", [dense.input[0]], ["features"]))
    network_alone.graph.output.add(name="features")
    assert np.array_equal(GradCam.of_model(network_alone.SerializeToString(), SIZE).maps(pixels, DIAGNOSES), expected)


def test_maps_of_several_members_are_their_mean(pixels):
    members = [network("report_head", seed) for seed in (1, 2)]
    whole = average([export_onnx(member, "probabilities") for member in members], "probabilities")
    expected = np.mean([by_tensorflow(member, pixels, DIAGNOSES) for member in members], axis=0)
    np.testing.assert_allclose(
        GradCam.of_model(whole, SIZE).maps(pixels, DIAGNOSES), expected, rtol=1e-4, atol=1e-6 * expected.max()
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    root = tmp_path_factory.mktemp("trained")
    data = make_data(root)
    return train_tiny(data, root / "model", classifier_params()), Dataset(data.dataset)


def answers(folder: Path, dataset: Dataset) -> pd.DataFrame:
    bundle = Bundle.load(folder)
    return split_judged(answered(bundle, dataset, rows_to_predict(dataset, bundle.description), lambda _: None))[1]


def test_a_trained_model_is_explained_on_the_true_masks(trained):
    folder, dataset = trained
    explained = explain(folder, Bundle.load(folder), dataset, answers(folder, dataset))
    assert isinstance(explained, Explained)
    rows = dataset.rows(Task.SEGMENTATION).set_index("image_id", drop=False).loc[explained.table["image_id"]]
    assert np.array_equal(explained.masks, dataset.masks(rows) > 0)
    scores = measure_explanation(explained, draws=200)
    assert scores is not None
    assert scores.interval.low <= scores.on_lesion <= scores.interval.high
    assert scores.lesion_share == pytest.approx(explained.table.dropna()["lesion_share"].mean())
    figure = draw_explained("net", explained, scores, "")
    assert len(figure.axes) == min(12, scores.images)


def test_the_step_writes_it_into_the_scores_and_draws_it(trained, tmp_path):
    folder, dataset = trained
    reporter = Reporter(tmp_path, "evaluate")
    evaluate(dataset.root, [folder], tmp_path, EvaluateParams(overlays=0), reporter)
    ((name, scores),) = read_scores(tmp_path).models.items()
    assert scores.explanation.images <= scores.test.images
    assert 0 < scores.explanation.lesion_share < 1
    assert (tmp_path / "figures" / name / "explained.png").exists()


def made_up(*maps: np.ndarray) -> Explained:
    masks = np.zeros((len(maps), 4, 4), bool)
    masks[:, :2] = True
    energy = np.array([one.sum() for one in maps])
    with np.errstate(invalid="ignore"):
        share = np.array([one[:2].sum() for one in maps]) / energy
    names = [f"I{place}" for place in range(len(maps))]
    table = pd.DataFrame({"image_id": names, "group_id": names, "label": "NV", "said": "NV"})
    table = table.assign(on_lesion=share, lesion_share=0.5)
    return Explained(table, np.zeros((len(maps), 4, 4, 3), np.uint8), np.stack(maps), masks)


def test_an_image_for_whose_answer_nothing_speaks_does_not_count():
    even, nothing = np.ones((4, 4), np.float32), np.zeros((4, 4), np.float32)
    scores = measure_explanation(made_up(even, nothing, even), draws=50)
    assert scores is not None
    assert (scores.images, scores.on_lesion, scores.lesion_share) == (2, 0.5, 0.5)
    assert measure_explanation(made_up(nothing), draws=50) is None


def test_why_a_model_is_not_explained_is_said(tmp_path, trained):
    folder, dataset = trained
    other = classifier_bundle(tmp_path / "mean_colour", size=(16, 16))
    told = explain(other, Bundle.load(other), dataset, answers(folder, dataset))
    assert told == "its network does not end in global average pooling and dense layers"
    bare = dataset.with_manifest(dataset.manifest[dataset.manifest["task"] == "classification"])
    assert explain(folder, Bundle.load(folder), bare, answers(folder, dataset)) == "no image of test has a mask of the same picture"


def test_a_mask_of_another_crop_of_the_image_is_left_out(trained):
    folder, dataset = trained
    whole = explain(folder, Bundle.load(folder), dataset, answers(folder, dataset))
    assert isinstance(whole, Explained)
    cropped, *others = whole.table["image_id"]
    manifest = dataset.manifest.copy()
    here = (manifest["image_id"] == cropped) & (manifest["task"] == "segmentation")
    manifest.loc[here, ["width", "sha256"]] = [17, "0" * 64]
    explained = explain(folder, Bundle.load(folder), dataset.with_manifest(manifest), answers(folder, dataset))
    assert isinstance(explained, Explained)
    assert explained.table["image_id"].tolist() == others
