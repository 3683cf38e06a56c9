"""Each gate, with what holds it and what breaks it; and what comes of a model that holds them all but one."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.boundary import boundary_f1
from components.evaluate.bootstrap import paired_differences, paired_mask_differences
from components.evaluate.judged import measured
from components.lesions import CODES, Task
from components.overlap import count_overlap
from components.promotion.decide import decide
from components.promotion.entries import Comparison, Outcome
from components.promotion.evidence import AuditCounts, Evidence
from components.promotion.figures import COMPARED
from components.promotion.gates import GATES, judge
from components.promotion.policy import Policy
from components.promotion.reading import read_promotion
from components.scores import Difference, Gap
from tests.components.promotion.records import version

FIGURES = {"balanced_accuracy": 0.8, "macro_f1": 0.7, "macro_auc": 0.95, "MEL/recall": 0.75, "MEL/support": 40.0}


def differences(**values: tuple[float, float, float]) -> dict[str, Difference]:
    """`value, low, high` of each figure; names with two underscores for a slash."""
    return {name.replace("__", "/"): Difference(value=one[0], low=one[1], high=one[2]) for name, one in values.items()}


def comparison(**values: tuple[float, float, float]) -> Comparison:
    given = {"balanced_accuracy": (0.05, 0.02, 0.08), "MEL__recall": (0.0, -0.1, 0.1)} | values
    return Comparison(
        champion=version(1), images=300, groups=280, differences=differences(**given), gained=30, lost=10, p_value=0.002
    )


def gap(value: float, low: float, high: float) -> Gap:
    return Gap(dimension="skin tone", value="dark", figure="malignant/auc", gap=value, low=low, high=high, slices=21)


GOOD = Evidence(
    task=Task.CLASSIFICATION,
    subject=version(2),
    figures=FIGURES,
    intervals={name: (value - 0.05, value + 0.05) for name, value in FIGURES.items()},
    phantom=False,
    data_version="d" * 64,
    judged_on="d" * 64,
    commit="c" * 40,
    dirty=False,
    megabytes=90,
    milliseconds=120,
    champion=version(1),
    comparison=comparison(),
    largest_gap=gap(0.2, 0.02, 0.38),
    audit=AuditCounts("Nothing serious was found.", {"critical": 0, "high": 1}),
    official_difference=1e-12,
    calibration_error=0.03,
)


@pytest.fixture
def policy() -> Policy:
    return read_promotion().policies["production"]


def without_champion() -> Evidence:
    return replace(GOOD, champion=None, comparison=None)


# Gate → (what breaks it, what its sentence says).
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "phantom": ({"phantom": True}, "learned from drawn images"),
    "data": ({"judged_on": "e" * 64}, "trained on data version dddddddddddd but judged on eeeeeeeeeeee"),
    "audit": ({"audit": AuditCounts("Two lesions leak.", {"critical": 2})}, "2 critical findings; Two lesions leak"),
    "code": ({"dirty": True}, "differed from commit cccccccccccc"),
    "official": ({"official_difference": 0.01}, "differs from these figures by at most 0.01, allowed is 1e-06"),
    "least": (
        {"intervals": GOOD.intervals | {"balanced_accuracy": (0.55, 0.9)}},
        r"balanced accuracy 0.800 \(0.550 to 0.900\), at least 0.600 is asked of the lower end",
    ),
    "melanoma": ({"intervals": GOOD.intervals | {"MEL/recall": (0.4, 0.9)}}, r"melanoma 0.750 \(0.400 to 0.900\), at least 0.500"),
    "calibration": ({"calibration_error": 0.2}, "calibration error 0.200, at most 0.080"),
    "comparison": (
        {"comparison": comparison(balanced_accuracy=(0.01, -0.03, 0.05))},
        r"\+0.010 \(-0.030 to \+0.050\) against lesion-classifier/1 on 300 images of 280 lesions: not shown to be better",
    ),
    "drop": (
        {"comparison": comparison(MEL__recall=(-0.2, -0.3, -0.1))},
        r"fell by more than 0.100: MEL -0.200 \(-0.300 to -0.100\)",
    ),
    "slices": (
        {"largest_gap": gap(0.25, 0.16, 0.34)},
        r"benign of skin tone dark lags behind the rest by \+0.250 \(\+0.160 to \+0.340, corrected for 21 slices\), at most 0.150",
    ),
    "size": ({"megabytes": 2000}, "2,000 MB, at most 800"),
    "latency": ({"milliseconds": 5000}, "5,000 ms an image on the machine that registered it, at most 1,000"),
}


def test_every_gate_is_broken_by_one_of_these():
    assert set(BROKEN) == set(GATES)


def test_a_good_model_holds_every_gate(policy):
    verdicts = judge(GOOD, policy)
    assert [verdict.gate for verdict in verdicts] == list(GATES)
    assert [verdict.sentence for verdict in verdicts if not verdict.holds] == []


@pytest.mark.parametrize("gate", BROKEN)
def test_a_gate_is_broken_alone_and_says_why(gate, policy):
    change, sentence = BROKEN[gate]
    (broken,) = [verdict for verdict in judge(replace(GOOD, **change), policy) if not verdict.holds]
    assert broken.gate == gate
    assert re.search(sentence, broken.sentence), broken.sentence


@pytest.mark.parametrize("gate", BROKEN)
def test_a_broken_gate_is_refused_or_needs_a_person(gate, policy):
    decision = decide(replace(GOOD, **BROKEN[gate][0]), policy)
    approvable = gate in policy.approvable
    assert decision.outcome is (Outcome.NEEDS_APPROVAL if approvable else Outcome.REFUSE)
    assert decision.reason.startswith(f"{gate}: ")
    assert decision.approvals == (1 if approvable else 0)


class TestComparison:
    @pytest.fixture
    def said(self, policy):
        def said(**change: Any) -> tuple[bool, str]:
            return GATES["comparison"](replace(GOOD, **change), policy)

        return said

    def test_the_first_model_has_nothing_to_be_compared_with(self, said):
        assert said(champion=None, comparison=None) == (True, "nothing serves yet")

    def test_what_cannot_be_compared_does_not_pass(self, said):
        holds, sentence = said(comparison=None, incomparable="it learned from lesions of 3 images of test")
        assert not holds
        assert (
            sentence == "it cannot be compared with lesion-classifier/1, which serves: it learned from lesions of 3 images of test"
        )

    def test_better_is_what_the_interval_says(self, said):
        assert said(comparison=comparison(balanced_accuracy=(0.03, 0.001, 0.06)))[0]
        assert not said(comparison=comparison(balanced_accuracy=(0.03, -0.001, 0.06)))[0]

    def test_not_worse_passes_with_a_gain_elsewhere(self, said):
        level = {"balanced_accuracy": (0.0, -0.015, 0.015)}
        assert not said(comparison=comparison(**level))[0]
        holds, sentence = said(comparison=comparison(**level, macro_auc=(0.02, 0.01, 0.03)))
        assert holds
        assert "not worse by 0.020 or more; and macro AUC +0.020 (+0.010 to +0.030)" in sentence

    def test_a_better_calibrated_model_is_one_whose_brier_score_falls(self, said):
        level = {"balanced_accuracy": (0.0, -0.015, 0.015)}
        assert not said(comparison=comparison(**level, brier=(0.02, 0.01, 0.03)))[0]
        holds, sentence = said(comparison=comparison(**level, brier=(-0.02, -0.03, -0.01)))
        assert (holds, sentence.endswith("and Brier score -0.020 (-0.030 to -0.010)")) == (True, True)

    def test_a_figure_that_test_cannot_tell_does_not_pass(self, policy):
        rare = policy.classifier.model_copy(update={"figure": "DF/recall"})
        asked = policy.model_copy(update={"classifier": rare})
        told = (False, "DF/recall cannot be told on 300 images of 280 lesions")
        assert GATES["comparison"](GOOD, asked) == told

    def test_a_gain_elsewhere_does_not_pay_for_being_worse(self, said):
        worse = {"balanced_accuracy": (-0.05, -0.08, -0.02), "macro_auc": (0.02, 0.01, 0.03)}
        assert said(comparison=comparison(**worse)) == (
            False,
            "balanced accuracy -0.050 (-0.080 to -0.020) against lesion-classifier/1 on 300 images of 280 lesions: it is worse",
        )


@pytest.mark.parametrize(
    ("learned", "told"),
    [
        (None, "trained on from a model of which it is not known whether it learned from images that judge this one"),
        (7, "trained on from a model that learned from 7 images that judge this one"),
    ],
)
def test_what_it_was_trained_on_from_must_not_have_seen_what_judges(policy, learned, told):
    assert GATES["data"](replace(GOOD, parent_learned=learned), policy) == (False, told)


@pytest.mark.parametrize("gate", ["data", "phantom"])
def test_a_gate_that_holds_says_what_nobody_knows_of_weights_from_a_file(policy, gate):
    holds, sentence = GATES[gate](replace(GOOD, from_file=True), policy)
    assert holds
    assert sentence.endswith("; but its weights started from a file, and what that learned from nobody knows")


def test_figures_that_a_policy_may_name_are_those_that_are_compared():
    rng = np.random.default_rng(0)
    said, truth = rng.dirichlet(np.ones(8), 80).astype(np.float32), list(CODES) * 10
    groups = [str(number) for number in range(80)]
    assert set(paired_differences(truth, said, said, groups, draws=2)) == COMPARED[Task.CLASSIFICATION]
    masks = rng.random((8, 9, 9)) < 0.5
    table = pd.DataFrame(vars(count_overlap(masks, ~masks))).assign(boundary_f1=boundary_f1(masks, ~masks))
    judged = measured(Task.SEGMENTATION, table)
    assert set(paired_mask_differences(judged, judged, groups[:8], draws=2)) == COMPARED[Task.SEGMENTATION]


def test_slices_that_were_too_small_to_judge_prove_nothing(policy):
    assert GATES["slices"](replace(GOOD, largest_gap=None), policy) == (False, "no slice of test has lesions enough to be judged")


class TestOutcome:
    def test_production_asks_for_a_person_though_every_gate_holds(self, policy):
        decision = decide(GOOD, policy)
        assert (decision.outcome, decision.approvals) == (Outcome.NEEDS_APPROVAL, 1)
        assert decision.reason == "every gate holds, and the policy asks for a person's approval"

    def test_a_policy_without_persons_promotes(self, policy):
        decision = decide(GOOD, policy.model_copy(update={"approvals": 0}))
        assert (decision.outcome, decision.reason) == (Outcome.PROMOTE, "every gate holds")
        assert decision.champion == version(1)
        assert decision.figures == {name: FIGURES[name] for name in ("balanced_accuracy", "macro_f1", "macro_auc", "MEL/recall")}

    def test_refused_outweighs_approvable(self, policy):
        decision = decide(replace(GOOD, dirty=True, megabytes=2000), policy)
        assert decision.outcome is Outcome.REFUSE
        assert decision.reason.startswith("size: ")

    def test_a_trial_lets_a_first_drawn_model_through(self):
        trial = read_promotion().policies["trial"]
        drawn = replace(without_champion(), phantom=True, dirty=True, audit=None, calibration_error=None, figures={}, intervals={})
        assert decide(drawn, trial).outcome is Outcome.PROMOTE

    def test_a_trial_leaves_a_second_model_that_is_not_better_to_a_person(self):
        trial = read_promotion().policies["trial"]
        level = replace(GOOD, comparison=comparison(balanced_accuracy=(0.0, -0.1, 0.1)))
        assert decide(level, trial).outcome is Outcome.NEEDS_APPROVAL

    def test_a_segmenter_is_asked_by_its_own_figures(self, policy):
        figures = {"dice": 0.9, "sensitivity": 0.9}
        intervals = {"dice": (0.88, 0.92), "sensitivity": (0.8, 0.95)}
        model = replace(without_champion(), task=Task.SEGMENTATION, figures=figures, intervals=intervals)
        model = replace(model, largest_gap=gap(0.1, 0.05, 0.15))
        assert decide(model, policy).reason == (
            "least: sensitivity 0.900 (0.800 to 0.950), at least 0.850 is asked of the lower end"
        )
