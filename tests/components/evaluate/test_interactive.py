"""The page of curves holds every model and diagnosis, and needs no network."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from components.evaluate.interactive import write_interactive
from components.lesions import CODES
from components.predictions import PROBABILITY_COLUMNS


def answers(labels: list[str], seed: int) -> pd.DataFrame:
    said = np.random.default_rng(seed).dirichlet(np.ones(8), len(labels)).astype(np.float32)
    return pd.DataFrame(said, columns=list(PROBABILITY_COLUMNS)).assign(label=labels)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The page's text and its traces: two models, seven diagnoses (no VASC)."""
    labels = [code for code in CODES if code != "VASC"] * 6
    tables = {"one": answers(labels, 0), "other": answers(labels, 1)}
    path = tmp_path_factory.mktemp("page") / "interactive.html"
    write_interactive(path, tables, "drawn images")
    text = path.read_text()
    call = text[text.rindex("Plotly.newPlot(") :]
    traces, _ = json.JSONDecoder().raw_decode(call, call.index("["))
    return tables, text, traces


def test_every_model_has_two_curves_a_diagnosis_that_test_holds(drawn):
    tables, _, traces = drawn
    assert len(traces) == 2 * 2 * 7
    assert {trace["legendgroup"] for trace in traces} == set(tables)
    first = tables["one"]
    area = roc_auc_score(first["label"] == "MEL", first["p_MEL"])
    assert traces[0]["name"].startswith(f"one: AUC {area:.3f}, average precision 0.")


def test_one_diagnosis_is_seen_at_first_and_the_menu_has_them_all(drawn):
    _, text, traces = drawn
    assert [trace["visible"] for trace in traces] == [True] * 4 + [False] * 24
    labels = re.findall(r'"label":"(\w+) ', text)
    assert labels == [code for code in CODES if code != "VASC"]


def test_nothing_is_loaded_from_elsewhere(drawn):
    _, text, _ = drawn
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", text)
    assert "drawn images" in text
