import json

import numpy as np
import pandas as pd
import pytest

from components.boundary import boundary_f1
from components.errors import DatasetError
from components.evaluate.classification import measure_classification
from components.evaluate.judged import measured
from components.evaluate.segmentation import measure_segmentation
from components.lesions import Task
from components.overlap import count_overlap
from components.scores import ClassifierScores, Explanation, Gap, Interval, Scores, SegmenterScores, flat, read_scores, write_scores


def classifier(name: str = "resnet50") -> ClassifierScores:
    probabilities = np.zeros((2, 8), np.float32)
    probabilities[0, 0] = probabilities[1, 1] = 1
    scores = measure_classification(["MEL", "NV"], probabilities, ["a", "b"])
    return ClassifierScores(name=name, architecture="resnet50", parameters_total=24_640_904, val=scores, test=scores)


def segmenter() -> SegmenterScores:
    truth, predicted = np.zeros((2, 1, 4, 4), bool)
    truth[0, :2], predicted[0, :1] = True, True
    table = pd.DataFrame(vars(count_overlap(truth, predicted))).assign(boundary_f1=boundary_f1(truth, predicted))
    scores = measure_segmentation(measured(Task.SEGMENTATION, table), ["a"])
    return SegmenterScores(name="unet_plain", architecture="unet_plain", parameters_total=2_164_593, val=scores, test=scores)


def both() -> Scores:
    test_sets = {"classification": "1" * 64, "segmentation": "2" * 64}
    models = {"resnet50": classifier(), "unet_plain": segmenter()}
    return Scores(data_version="f" * 64, phantom=True, test_sets=test_sets, models=models)


def test_scores_are_read_as_they_were_written(tmp_path):
    write_scores(tmp_path, both())
    assert read_scores(tmp_path) == both()


def test_what_does_not_exist_is_null_in_the_file_and_never_nan(tmp_path):
    write_scores(tmp_path, both())
    text = (tmp_path / "scores.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["models"]["resnet50"]["test"]["classes"]["SCC"]["auc"] is None


def test_flat_names_hold_every_figure_that_exists():
    figures = flat(classifier())
    assert figures["test/macro_f1"] == 1
    assert figures["val/MEL/recall"] == 1
    assert figures["test/SCC/support"] == 0
    assert "test/SCC/auc" not in figures
    assert figures["test/malignant/auc"] == 1
    assert figures["test/brier"] == 0
    assert flat(segmenter())["val/dice"] == pytest.approx(2 / 3)
    assert flat(segmenter())["test/pooled/jaccard"] == pytest.approx(1 / 2)
    assert flat(segmenter())["test/thresholded_jaccard"] == 0
    assert flat(segmenter())["test/boundary_f1"] == 1


def test_the_ends_of_an_interval_stand_beside_its_figure():
    names = sorted(name for name in flat(classifier()) if name.startswith("test/macro_f1"))
    assert names == ["test/macro_f1", "test/macro_f1_high", "test/macro_f1_low"]
    (width,) = {flat(segmenter())[f"test/dice_{end}"] for end in ("low", "high")}
    assert width == pytest.approx(2 / 3)
    assert str(Interval(low=0.8149, high=0.886)) == "0.81 to 0.89"


def test_scores_of_before_folds_are_of_val_and_count_melanomas_at_nine_tenths(tmp_path):
    values = json.loads(both().model_dump_json())
    del values["melanoma_specificity"]
    for model in values["models"].values():
        del model["val_rows"]
    (tmp_path / "scores.json").write_text(json.dumps(values))
    assert read_scores(tmp_path) == both()


def test_a_file_of_another_make_is_refused_by_name(tmp_path):
    text = both().model_dump_json().replace('"schema_version":2', '"schema_version":1')
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(DatasetError, match=r"scores\.json: schema_version .*evaluate again"):
        read_scores(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        read_scores(tmp_path)


def test_flat_names_hold_the_largest_gap_and_where_a_classifier_looks_where_they_are_known():
    gap = Gap(dimension="sex", value="male", figure="malignant/auc", gap=0.2, low=0.1, high=0.3, slices=9)
    looks = Explanation(images=5, lesions=4, on_lesion=0.6, interval=Interval(low=0.5, high=0.7), lesion_share=0.25)
    figures = flat(classifier().model_copy(update={"largest_gap": gap, "explanation": looks}))
    told = {
        name: value for name, value in figures.items() if name.startswith(("test/slice/", "test/on_lesion", "test/lesion_share"))
    }
    assert told == {
        "test/slice/gap": 0.2,
        "test/slice/gap_low": 0.1,
        "test/slice/gap_high": 0.3,
        "test/slice/judged": 9,
        "test/on_lesion": 0.6,
        "test/on_lesion_low": 0.5,
        "test/on_lesion_high": 0.7,
        "test/lesion_share": 0.25,
    }
    assert not any("slice" in name or "lesion" in name for name in flat(classifier()))
