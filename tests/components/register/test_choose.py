"""The choice, on the report's own figures."""

import pytest

from components.register.choose import Candidate, choose

# The report's three result rows: accuracy, macro recall (= balanced accuracy), macro F1; parameters of its chapter 5.
REPORT = [
    Candidate("resnet50", 24_640_904, {"accuracy": 0.52, "balanced_accuracy": 0.33, "macro_f1": 0.39}),
    Candidate("resnet101", 43_711_368, {"accuracy": 0.80, "balanced_accuracy": 0.73, "macro_f1": 0.73}),
    Candidate("resnet152", 59_424_136, {"accuracy": 0.78, "balanced_accuracy": 0.73, "macro_f1": 0.71}),
]


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy", "balanced_accuracy"])
def test_with_the_figures_of_the_report_resnet101_is_chosen(metric):
    assert choose(REPORT, metric).name == "resnet101"
    assert choose(REPORT[::-1], metric).name == "resnet101"


def test_the_reason_names_the_figure_and_the_others():
    reason = choose(REPORT, "macro_f1").reason
    assert reason == "resnet101 has the best macro F1 on validation, 0.730 (resnet152 0.710, resnet50 0.390)"


def test_of_equals_the_one_with_fewer_parameters_is_chosen():
    choice = choose(REPORT, "balanced_accuracy")
    assert choice.name == "resnet101"
    assert choice.reason.endswith(", and of equals the fewest parameters")


def test_size_decides_between_equals_whatever_their_names():
    assert choose([Candidate("a", 9, {"dice": 0.8}), Candidate("b", 1, {"dice": 0.8})], "dice").name == "b"


def test_of_equals_of_one_size_the_choice_does_not_depend_on_the_order():
    twins = [Candidate(name, 5, {"dice": 0.8}) for name in ("b", "a")]
    assert choose(twins, "dice").name == choose(twins[::-1], "dice").name == "a"


def test_a_figure_that_does_not_exist_is_worse_than_any_other():
    candidates = [Candidate("small", 1, {}), Candidate("large", 9, {"macro_auc": 0.1})]
    assert choose(candidates, "macro_auc").name == "large"
    assert choose(candidates[:1], "macro_auc").reason == "small is the only candidate, macro AUC none on validation"
