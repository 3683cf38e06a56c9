"""The mean of networks of real architectures, as one ONNX graph."""

import numpy as np
import onnx
import onnxruntime
import pytest

from components.errors import ParamsError
from components.train_classifier import registry as classifiers
from components.train_unet import registry as segmenters
from components.training.devices import start_afresh
from components.training.ensemble import average, refuse_too_many
from components.training.onnx_export import export_onnx


def networks(task: str, count: int) -> list[bytes]:
    models = []
    for seed in range(count):
        start_afresh(seed)
        model = (
            segmenters.build("unet_tiny", (16, 24), 0.1) if task == "mask" else classifiers.build("tiny_cnn", (16, 24), 0.3).model
        )
        models.append(export_onnx(model, task))
    return models


def answer(model: bytes, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (said,) = session.run(None, {"image": images})
    return np.asarray(said)


@pytest.mark.parametrize("task", ["mask", "probabilities"])
def test_the_mean_answers_what_its_members_answer_on_average(task: str) -> None:
    members = networks(task, 3)
    mean = average(members, task)
    onnx.checker.check_model(onnx.load_from_string(mean), full_check=True)
    images = np.random.default_rng(0).random((5, 16, 24, 3), np.float32)
    each = [answer(member, images) for member in members]
    assert np.ptp(each, axis=0).max() > 0.001
    np.testing.assert_allclose(answer(mean, images), np.mean(each, axis=0), atol=1e-6)
    assert [output.name for output in onnx.load_from_string(mean).graph.output] == [task]


def test_features_are_those_of_the_first_member() -> None:
    members = []
    for seed in range(2):
        start_afresh(seed)
        members.append(export_onnx(classifiers.build("tiny_cnn", (16, 24), 0.3).model, "probabilities", "features"))
    images = np.random.default_rng(0).random((5, 16, 24, 3), np.float32)
    mean = average(members, "probabilities")
    onnx.checker.check_model(onnx.load_from_string(mean), full_check=True)
    (first, features), (second, other), (said, kept) = (
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"image": images})
        for model in (*members, mean)
    )
    np.testing.assert_array_equal(kept, features)
    assert kept.shape == (5, 512)
    assert np.abs(features - other).max() > 0.01
    np.testing.assert_allclose(said, (first + second) / 2, atol=1e-6)


def test_the_same_members_give_the_same_bytes_and_one_is_its_own_mean() -> None:
    members = networks("probabilities", 2)
    assert average(members, "probabilities") == average(members, "probabilities")
    assert average(members[:1], "probabilities") == members[0]


def test_more_members_than_a_file_can_hold_are_refused_with_what_to_set() -> None:
    refuse_too_many(59_424_136, 9)
    with pytest.raises(
        ParamsError, match=r"folds x seeds is 10, but a bundle holds no more than 9 networks of 59,424,136 .*set fewer"
    ):
        refuse_too_many(59_424_136, 10)
