"""mlflow/promotion.yaml: what is wrong with it is named by its field."""

import pytest

from components.errors import ParamsError
from components.promotion import reading
from components.promotion.gates import GATES
from components.promotion.reading import read_promotion


@pytest.fixture
def written(tmp_path, monkeypatch):
    text = reading.project_file(reading.FILE).read_text()

    def written(old: str, new: str) -> None:
        assert old in text
        (tmp_path / "promotion.yaml").write_text(text.replace(old, new, 1))
        monkeypatch.setattr(reading, "project_file", lambda _: tmp_path / "promotion.yaml")

    return written


def test_both_policies_name_gates_that_there_are():
    for name, one in read_promotion().policies.items():
        assert set(one.approvable) <= set(GATES), name


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("approvals: 1", "approvals: -1", r"policies.production.approvals: Input should be greater than or equal to 0"),
        ("phantom: false", "fantom: false", r"policies.production.phantom: Field required"),
        ("margin: 0.02", "margin: 2", r"policies.production.classifier.margin: Input should be less than or equal to 1"),
        ("version: 1", "version: 1\nversion: [", r"cannot be read"),
        ("approvable: [comparison, ", "approvable: [comparsion, ", r"comparsion is no gate; there are phantom"),
        ("approvals: 1", "approvals: 2", r"policies.production.approvals: asks for several persons, but signers lists nobody"),
        (
            "figure: balanced_accuracy",
            "figure: balanced_acuracy",
            r"policies.production.classifier.figure: balanced_acuracy is no figure .* did you mean balanced_accuracy\?",
        ),
        ("gains: [jaccard,", "gains: [jacard,", r"policies.production.segmenter.gains: jacard is no figure .* mean jaccard\?"),
    ],
)
def test_what_is_wrong_is_named(written, old, new, told):
    written(old, new)
    with pytest.raises(ParamsError, match=rf"promotion.yaml: .*{told}"):
        read_promotion()


def test_another_text_has_another_digest(written):
    before = read_promotion().digest
    written("approvals: 1", "approvals: 0")
    assert read_promotion().digest != before


def test_a_policy_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ParamsError, match=r"has no policy prodution; it has production, trial; did you mean production\?"):
        read_promotion().policy("prodution")
