from pathlib import Path

import cv2
import numpy as np
import pytest

from components.bundle import MODEL, Bundle
from components.conformal import Conformal
from components.errors import BundleError, ImageFormatError
from components.grad_cam import explained, read_heads, write_heads
from components.lesions import CODES, Diagnosis
from components.params import PreprocessParams
from components.predict.picture import read_picture
from components.predict.predictor import Answer, Predictor
from components.predict.quality import WarningCode
from components.refusal import Gaussian, Refusal
from tests.bundles import classifier_bundle, segmenter_bundle
from tests.components.predict.drawn import jpeg, lesion, png

SETS = Conformal(level=0.9, least=dict.fromkeys(CODES, 0.1), own=("MEL",))
# Refuses what is nearly black.
DARK = Refusal(Gaussian(*(np.array(one, np.float32) for one in ([0.8] * 3, [1] * 3, np.zeros((0, 3)), [], [1], [0.5]))))
MOST = 10_000_000


@pytest.fixture
def classifier(tmp_path: Path) -> Bundle:
    return Bundle.load(classifier_bundle(tmp_path / "classifier", conformal=SETS))


@pytest.fixture
def segmenter(tmp_path: Path) -> Bundle:
    return Bundle.load(segmenter_bundle(tmp_path / "segmenter"))


def answer(predictor: Predictor, data: bytes) -> Answer:
    return predictor.answer(read_picture(data, "image", predictor.reading, MOST))


@pytest.mark.parametrize("diagnosis", [Diagnosis.MEL, Diagnosis.VASC])
def test_an_answer_is_what_the_bundles_say_and_the_lesion_lies_where_it_was_drawn(diagnosis, classifier, segmenter) -> None:
    image = lesion(diagnosis)
    said = answer(Predictor(classifier, segmenter), png(image))
    assert np.array_equal(said.diagnosed.probabilities, classifier.predict([image])[0])
    assert CODES[said.diagnosed.order[0]] == diagnosis
    assert said.diagnosed.inside[said.diagnosed.order[0]]
    drawn = cv2.circle(np.zeros((160, 200), np.uint8), (100, 80), 45, 1, -1) > 0
    assert np.count_nonzero(said.mask & drawn) / np.count_nonzero(said.mask | drawn) > 0.9
    assert said.shape.diameter == pytest.approx(91, abs=8)
    assert said.warnings == []


def test_malignancy_is_the_sum_over_malignant_diagnoses(classifier) -> None:
    said = answer(Predictor(classifier, None), png(lesion()))
    by_code = dict(zip(CODES, said.diagnosed.probabilities, strict=True))
    assert said.diagnosed.malignancy == pytest.approx(by_code["MEL"] + by_code["BCC"] + by_code["AK"] + by_code["SCC"])
    assert said.mask is None
    assert said.shape is None


def test_a_refused_image_has_no_mask(tmp_path: Path, segmenter) -> None:
    strict = Bundle.load(classifier_bundle(tmp_path / "strict", refusal=DARK))
    said = answer(Predictor(strict, segmenter), png(np.zeros((64, 64, 3), np.uint8)))
    assert said.refused
    assert said.diagnosed.strangeness > said.diagnosed.threshold
    assert (said.mask, said.shape, said.heat) == (None, None, None)
    assert said.warnings == [WarningCode.DARK]
    assert not answer(Predictor(strict, segmenter), png(lesion())).refused


def test_skin_alone_has_a_mask_and_no_lesion(classifier, segmenter) -> None:
    said = answer(Predictor(classifier, segmenter), png(lesion(share=0)[:, :90]))
    assert not said.mask.any()
    assert said.shape is None
    assert WarningCode.NO_LESION in said.warnings


def test_an_answer_that_is_no_number_is_an_error_that_names_the_model(tmp_path: Path) -> None:
    broken = Bundle.load(classifier_bundle(tmp_path / "broken", sharpness=float("nan")))
    with pytest.raises(BundleError, match="tiny_classifier: its answer is no number"):
        answer(Predictor(broken, None), png(lesion()))


def test_the_heat_map_lies_where_the_network_looks_and_its_heads_are_read_as_written(tmp_path: Path, segmenter) -> None:
    root = classifier_bundle(tmp_path / "pooled", explainable=True)
    network, heads = explained((root / MODEL).read_bytes())
    (tmp_path / "explained.onnx").write_bytes(network)
    write_heads(tmp_path / "heads.npz", heads)
    bundle = Bundle.load(root, network=tmp_path / "explained.onnx", threads=1)
    predictor = Predictor(bundle, segmenter, read_heads(tmp_path / "heads.npz"))
    image = lesion(Diagnosis.VASC)
    said = predictor.answer(read_picture(png(image), "image", predictor.reading, MOST), heat_map=True)
    assert np.array_equal(said.diagnosed.probabilities, Bundle.load(root).predict([image])[0])
    assert said.heat.diagnosis == Diagnosis.VASC
    # The network weighs colours by those of the diagnosis, all of them positive: bright skin counts more than the dark lesion.
    assert said.heat.heat.shape == image.shape[:2]
    assert said.heat.heat.max() == pytest.approx(1)
    assert 0 < said.heat.on_lesion < said.shape.area / (160 * 200)
    assert Predictor(Bundle.load(root), segmenter).answer(read_picture(png(image), "", predictor.reading, MOST)).heat is None


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_images_are_read_as_the_preprocess_step_reads_them(mode: str, classifier) -> None:
    from components.preprocess.stages import read_image

    params = PreprocessParams.model_validate({**classifier.description.preprocess.model_dump(), "mode": mode, "equalise": True})
    predictor = Predictor(classifier.on(params), None)
    data = jpeg(lesion(size=(700, 900)))
    picture = read_picture(data, "image", predictor.reading, MOST)
    assert np.array_equal(picture.classifier, read_image(data, "image", classifier.description.stored_size, params))
    assert (picture.height, picture.width) == (700, 900)


@pytest.mark.parametrize(
    ("size", "message"),
    [((2000, 6000), "more than the 10 megapixels"), ((16, 200), "a side has 32 at least"), ((32, 31000), "30,000 at most")],
)
def test_sizes_are_refused_by_the_header_alone(size: tuple[int, int], message: str, classifier) -> None:
    data = png(np.zeros((*size, 3), np.uint8))
    with pytest.raises(ImageFormatError, match=message):
        read_picture(data[:40], "image", Predictor(classifier, None).reading, MOST)


def test_a_warm_pair_answers_a_segmenter_alone_too(segmenter) -> None:
    predictor = Predictor(None, segmenter)
    predictor.warm_up()
    said = answer(predictor, png(lesion()))
    assert said.diagnosed is None
    assert said.shape is not None
