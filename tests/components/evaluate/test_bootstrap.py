"""Every figure of a draw against scikit-learn with the draw's weights, and what intervals must be."""

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    precision_recall_fscore_support,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from components.evaluate.bootstrap import (
    draw_weights,
    intervals,
    mask_intervals,
    paired_differences,
    paired_mask_differences,
)
from components.evaluate.classification import measure_answers, measure_classification
from components.evaluate.judged import measured
from components.evaluate.segmentation import measure_segmentation
from components.evaluate.weighted import ClassifierMeasures
from components.lesions import CODES, LESIONS, Diagnosis, Task
from components.predictions import COUNT_COLUMNS, PROBABILITY_COLUMNS
from components.scores import ClassifierScores, Difference, SegmenterScores, flat

SPECIFICITY = 0.9
EXACT = 1e-9
MALIGNANT = [code for code in CODES if LESIONS[Diagnosis(code)].malignant]


def answers(seed: int, images: int, held: list[str], *, coarse: bool = False) -> tuple[list[str], np.ndarray]:
    """Diagnoses and what a middling model says of them; coarse: in steps of 0.05, so that many are tied."""
    rng = np.random.default_rng(seed)
    truth = [*held, *rng.choice(held, images - len(held))]
    logits = rng.normal(size=(images, 8)) + 1.5 * np.array([[code == true for code in CODES] for true in truth])
    said = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if coarse:
        said = np.round(said * 20) / 20
    return truth, said.astype(np.float32)


def by_scikit_learn(truth: list[str], said: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Each figure by scikit-learn's own call, those that do not exist left out."""
    true, predicted = np.array(truth), np.array([CODES[i] for i in said.argmax(axis=1)])
    held = [code for code in CODES if weights[true == code].sum()]
    figures = {"accuracy": accuracy_score(true, predicted, sample_weight=weights)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of predicted diagnoses that are absent, and leaves them out as we do
        figures["balanced_accuracy"] = balanced_accuracy_score(true, predicted, sample_weight=weights)
        onehot = np.array([[code == one for code in CODES] for one in true]).astype(float)
        figures["brier"] = brier_score_loss(onehot, said.astype(np.float64), sample_weight=weights, scale_by_half=False)
    for average, labels in (("macro", held), ("weighted", held), ("micro", CODES)):
        three = precision_recall_fscore_support(
            true, predicted, labels=labels, average=average, sample_weight=weights, zero_division=0
        )
        figures |= {f"{average}_{name}": value for name, value in zip(("precision", "recall", "f1"), three, strict=False)}
    three = precision_recall_fscore_support(true, predicted, labels=CODES, sample_weight=weights, zero_division=0)
    for place, code in enumerate(CODES):
        if code in held:
            figures |= {f"{code}/{name}": three[i][place] for i, name in enumerate(("precision", "recall", "f1"))}
        if weights[true != code].sum():
            figures[f"{code}/specificity"] = recall_score(true != code, predicted != code, sample_weight=weights)
        figures |= {f"{code}/{name}": value for name, value in curves(true == code, said[:, place], weights).items()}
    for name in ("auc", "average_precision"):
        known = [figures[f"{code}/{name}"] for code in CODES if f"{code}/{name}" in figures]
        if known:
            figures[f"macro_{name}"] = np.mean(known)
    malignant = np.isin(true, MALIGNANT)
    suspected = said[:, [CODES.index(code) for code in MALIGNANT]].astype(np.float64).sum(axis=1)
    figures |= {f"malignant/{name}": value for name, value in curves(malignant, suspected, weights).items()}
    if weights[malignant].sum():
        figures["malignant/sensitivity"] = recall_score(malignant, suspected >= 0.5, sample_weight=weights)
    if weights[~malignant].sum():
        figures["malignant/specificity"] = recall_score(~malignant, suspected < 0.5, sample_weight=weights)
    found = sensitivity(true == "MEL", said[:, 0], weights)
    return figures if found is None else figures | {"melanoma_sensitivity": found}


def curves(shown: np.ndarray, score: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    if not (weights[shown].sum() and weights[~shown].sum()):
        return {}
    return {
        "auc": roc_auc_score(shown, score, sample_weight=weights),
        "average_precision": average_precision_score(shown, score, sample_weight=weights),
    }


def sensitivity(shown: np.ndarray, score: np.ndarray, weights: np.ndarray) -> float | None:
    if not (weights[shown].sum() and weights[~shown].sum()):
        return None
    false, true, _ = roc_curve(shown, score, sample_weight=weights, drop_intermediate=False)
    return float(true[1 - false >= SPECIFICITY - 1e-12].max())


def of_draw(truth: list[str], said: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """The same figures by ours, each image its own group; without ECE, which scikit-learn does not weigh."""
    measures = ClassifierMeasures(truth, said, np.arange(len(truth)), len(truth), SPECIFICITY)
    known = {name: float(value[0]) for name, value in measures.measure(weights[:, None].astype(float)).items()}
    return {name: value for name, value in known.items() if not np.isnan(value) and name != "ece"}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(10, 80),
    held=st.lists(st.sampled_from(CODES), min_size=1, unique=True),
    coarse=st.booleans(),
)
def test_every_figure_of_a_weighted_draw_is_scikit_learns(seed, images, held, coarse):
    truth, said = answers(seed, images, held, coarse=coarse)
    weights = np.random.default_rng(seed + 1).poisson(1, images)
    weights[0] += 1  # a draw holds something
    if coarse:
        said = said / said.sum(axis=1, keepdims=True).astype(np.float32)
    assert of_draw(truth, said, weights) == pytest.approx(by_scikit_learn(truth, said, weights), abs=EXACT, rel=0)


def test_every_figure_of_a_realistic_test_set_is_scikit_learns():
    truth, said = answers(3, 3000, list(CODES))
    for weights in (np.ones(3000), np.random.default_rng(5).poisson(1, 3000)):
        assert of_draw(truth, said, weights) == pytest.approx(by_scikit_learn(truth, said, weights), abs=EXACT, rel=0)


def test_the_figures_of_a_model_are_those_of_the_draw_in_which_every_group_comes_once():
    truth, said = answers(7, 400, list(CODES), coarse=True)
    measures = ClassifierMeasures(truth, said, np.arange(400) // 3, 134, SPECIFICITY).measure(np.ones((134, 1)))
    scores = measure_classification(truth, said, [str(i // 3) for i in range(400)], specificity=SPECIFICITY)
    model = ClassifierScores(name="a", architecture="a", parameters_total=1, val=scores, test=scores)
    figures = flat(model)
    assert {name: float(value[0]) for name, value in measures.items()} == pytest.approx(
        {name: figures[f"test/{name}"] for name in measures}, abs=EXACT, rel=0
    )
    assert set(scores.intervals) == set(measures)
    for name, interval in scores.intervals.items():
        assert interval.low <= interval.high
        assert (figures[f"test/{name}_low"], figures[f"test/{name}_high"]) == (interval.low, interval.high)
    without = {name for name in figures if name.startswith("test/") and not name.endswith(("_low", "_high"))}
    assert without - {f"test/{name}" for name in measures} == {"test/images", *(f"test/{code}/support" for code in CODES)}


def test_the_calibration_error_is_over_scikit_learns_bins():
    truth, said = answers(11, 500, list(CODES))
    confidence, right = said.max(axis=1).astype(float), said.argmax(axis=1) == [CODES.index(code) for code in truth]
    accuracy, mean_confidence = calibration_curve(right, confidence, n_bins=15, strategy="quantile")
    edges = np.percentile(confidence, np.linspace(0, 100, 16))
    counts = np.bincount(np.searchsorted(edges[1:-1], confidence))
    expected = (np.abs(accuracy - mean_confidence) * counts).sum() / 500
    assert measure_classification(truth, said).ece == pytest.approx(expected, abs=EXACT)


def test_groups_are_drawn_as_often_as_there_are_groups_and_the_same_each_time():
    drawn = np.concatenate(list(draw_weights(30, 250, seed=4)), axis=1)
    assert drawn.shape == (30, 250)
    assert (drawn.sum(axis=0) == 30).all()
    assert drawn.var() == pytest.approx(29 / 30, rel=0.1)  # of a binomial: 30 draws, chance 1/30
    np.testing.assert_array_equal(drawn, np.concatenate(list(draw_weights(30, 250, seed=4)), axis=1))
    assert (drawn != np.concatenate(list(draw_weights(30, 250, seed=5)), axis=1)).any()


def sure_of(codes: list[str]) -> np.ndarray:
    return np.array([[code == one for code in CODES] for one in codes], np.float32)


def test_a_model_without_mistakes_has_an_interval_of_no_width():
    truth = [code for code in CODES for _ in range(40)]
    found = intervals(truth, sure_of(truth), [str(i) for i in range(len(truth))])
    assert {(found[f"{code}/f1"].low, found[f"{code}/f1"].high) for code in CODES} == {(1, 1)}


def test_what_a_split_does_not_hold_has_no_interval():
    found = intervals(["MEL", "NV"] * 30, sure_of(["MEL", "NV"] * 30), [str(i) for i in range(60)])
    assert "SCC/recall" not in found
    assert "SCC/auc" not in found
    assert "SCC/specificity" in found
    assert "macro_auc" in found


def test_images_of_one_lesion_widen_the_interval():
    truth, said = ["MEL"] * 200, sure_of((["MEL"] * 2 + ["NV"] * 2) * 50)
    alone = intervals(truth, said, [str(i) for i in range(200)])["MEL/f1"]
    together = intervals(truth, said, [str(i // 4 * 2 + i % 4 // 2) for i in range(200)])["MEL/f1"]
    assert together.high - together.low == pytest.approx(np.sqrt(2) * (alone.high - alone.low), rel=0.15)


def test_the_interval_is_that_of_the_binomial():
    # 100 melanomas, 80 found: recall's 95 % interval is about 0.72 to 0.88.
    found = intervals(["MEL"] * 100, sure_of(["MEL"] * 80 + ["NV"] * 20), [str(i) for i in range(100)])["MEL/recall"]
    assert (found.low, found.high) == pytest.approx((0.72, 0.88), abs=0.015)


def test_two_models_that_say_the_same_differ_by_nothing():
    truth, said = answers(0, 60, ["MEL", "NV", "BCC"])
    found = paired_differences(truth, said, said, [str(i) for i in range(60)])
    assert set(found.values()) == {Difference(value=0, low=0, high=0)}
    assert {"accuracy", "macro_auc", "malignant/auc", "melanoma_sensitivity", "brier", "ece"} <= set(found)


def test_what_is_hard_for_both_falls_out_of_the_paired_difference():
    rng = np.random.default_rng(0)
    truth = rng.choice(["MEL", "NV"], 400).tolist()
    hard = rng.random(400) < 0.5
    first = ["DF" if one else true for one, true in zip(hard, truth, strict=True)]
    # The second is right on four of them more.
    saved = set(np.flatnonzero(hard)[:4].tolist())
    second = [truth[place] if place in saved else said for place, said in enumerate(first)]
    found = paired_differences(truth, sure_of(first), sure_of(second), [str(i) for i in range(400)])["accuracy"]
    assert found.value == pytest.approx(4 / 400)
    assert 0 < found.low < 4 / 400 < found.high < 0.025


def test_the_value_of_a_difference_is_that_of_the_measures():
    (truth, first), (_, second) = answers(1, 50, ["MEL", "NV", "AK"]), answers(2, 50, ["MEL", "NV", "AK"])
    found = paired_differences(truth, first, second, ["one"] * 50, draws=3)
    one, other = (measure_classification(truth, said) for said in (first, second))
    # One group: every draw is the sample itself.
    for name, value in {"macro_f1": other.macro.f1 - one.macro.f1, "brier": other.brier - one.brier}.items():
        assert (found[name].value, found[name].low, found[name].high) == pytest.approx((value, value, value), abs=EXACT)


def test_a_table_of_predictions_is_judged_with_intervals():
    truth, said = answers(1, 60, ["MEL", "NV"])
    table = pd.DataFrame(said, columns=list(PROBABILITY_COLUMNS)).assign(label=truth, group_id=[str(i // 2) for i in range(60)])
    scores = measure_answers(table, 0.5)
    assert scores.intervals == intervals(truth, said, table["group_id"].tolist(), specificity=0.5)
    assert scores.melanoma_sensitivity > measure_answers(table, 0.99).melanoma_sensitivity


# ------------------------------------------------------------------------------------------------------------------ masks


def drawn_masks(seed: int, images: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    counts = pd.DataFrame(rng.integers(1, 400, (images, 4)), columns=list(COUNT_COLUMNS))
    return measured(Task.SEGMENTATION, counts.assign(boundary_f1=rng.random(images)))


def draws_one_by_one(table: pd.DataFrame, groups: np.ndarray) -> Iterator[dict[str, float]]:
    names = np.unique(groups)
    for weights in draw_weights(len(names), 120, seed=0):
        for draw in weights.T.astype(int):
            taken = [row for name, times in zip(names, draw, strict=True) for row in [*np.flatnonzero(groups == name)] * times]
            scores = measure_segmentation(table.iloc[taken].reset_index(drop=True))
            model = SegmenterScores(name="a", architecture="a", parameters_total=1, val=scores, test=scores)
            yield {name.removeprefix("test/"): value for name, value in flat(model).items() if name.startswith("test/")}


def test_intervals_of_masks_are_those_of_measuring_each_draw():
    table, groups = drawn_masks(0), np.array([str(i // 3) for i in range(40)])
    drawn = pd.DataFrame(draws_one_by_one(table, groups)).drop(columns=["images", "empty_predictions"])
    found = mask_intervals(table, groups.tolist(), draws=120)
    assert set(found) == set(drawn)
    for name, interval in found.items():
        assert (interval.low, interval.high) == pytest.approx(tuple(drawn[name].quantile([0.025, 0.975])), abs=EXACT)


def test_intervals_hold_the_true_mean_as_often_as_they_say_where_images_of_a_lesion_are_alike():
    # 150 lesions of 4 images, whose Dice share most of what makes them differ; the true mean is 0.
    rng = np.random.default_rng(2)
    table, lesions, alone = drawn_masks(0, 600), [str(i // 4) for i in range(600)], [str(i) for i in range(600)]
    held = {"by lesion": 0, "by image": 0}
    for seed in range(80):
        table["dice"] = np.repeat(rng.normal(size=150), 4) + 0.3 * rng.normal(size=600)
        for name, groups in (("by lesion", lesions), ("by image", alone)):
            found = mask_intervals(table, groups, draws=200, seed=seed)["dice"]
            held[name] += found.low <= 0 <= found.high
    assert 0.90 <= held["by lesion"] / 80 <= 0.99
    assert held["by image"] / 80 < 0.8


def test_two_segmenters_are_compared_on_the_same_draws():
    table, groups = drawn_masks(0), [str(i) for i in range(40)]
    better = table.assign(dice=table["dice"] + 0.1)
    found = paired_mask_differences(table, better, groups)
    assert (found["dice"].value, found["dice"].low, found["dice"].high) == pytest.approx((0.1, 0.1, 0.1))
    assert found["jaccard"] == Difference(value=0, low=0, high=0)
