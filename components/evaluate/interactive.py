"""Curves that a reviewer can point at, one page: each diagnosis's ROC and precision by recall on test, every classifier of a run.

A menu chooses the diagnosis, the legend the models; pointing at a curve tells threshold and rates. The page holds its own script
(5 MB), since MLflow shows an artifact by itself; so there is one a run, not one a model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from components.files import write_text
from components.lesions import CODES, LESIONS, Diagnosis
from components.predictions import probabilities_of

INTERACTIVE = "interactive.html"

# Okabe and Ito's colours: told apart with any colour vision.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def write_interactive(path: Path, tables: Mapping[str, pd.DataFrame], footnote: str = "") -> None:
    """Write the page.

    Args:
        path: the file.
        tables: classifier → its predictions of test, as `components.evaluate.judged` makes them; at least one.
        footnote: said below the title.

    Raises:
        StoreError: it cannot be written.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, subplot_titles=("ROC", "precision by recall"), horizontal_spacing=0.1)
    truth = next(iter(tables.values()))["label"].to_numpy()
    shown = [code for code in CODES if 0 < (truth == code).sum() < len(truth)]
    for code in shown:
        for place, (name, table) in enumerate(tables.items()):
            _draw(figure, name, table, code, _COLOURS[place % len(_COLOURS)], visible=code == shown[0])
    figure.update_xaxes(range=[-0.01, 1.01])
    figure.update_yaxes(range=[-0.01, 1.01])
    for column, (x, y) in enumerate((("1 - specificity", "sensitivity"), ("sensitivity", "precision")), 1):
        figure.update_xaxes(title_text=x, row=1, col=column)
        figure.update_yaxes(title_text=y, row=1, col=column)
    note = f"<br><sup>{footnote}</sup>" if footnote else ""
    figure.update_layout(
        title={"text": f"Test, {len(truth):,} images: one diagnosis against the rest{note}", "y": 0.97},
        template="plotly_white",
        height=620,
        margin={"t": 150},
        updatemenus=[{"buttons": _menu(shown, len(tables)), "x": 0, "xanchor": "left", "y": 1.2, "yanchor": "bottom"}],
    )
    write_text(path, figure.to_html(include_plotlyjs=True, full_html=True, div_id="curves", config={"displaylogo": False}))


def _draw(figure: Any, name: str, table: pd.DataFrame, code: str, colour: str, *, visible: bool) -> None:
    """Both curves of a model and a diagnosis."""
    import plotly.graph_objects as go

    is_it = (table["label"] == code).to_numpy()
    said = probabilities_of(table)[:, CODES.index(code)].astype(np.float64)
    false_positive, true_positive, thresholds = roc_curve(is_it, said)
    precision, recall, cuts = precision_recall_curve(is_it, said)
    areas = roc_auc_score(is_it, said), average_precision_score(is_it, said)
    label = f"{name}: AUC {areas[0]:.3f}, average precision {areas[1]:.3f}"
    told = "%{fullData.legendgroup}<br>at a probability of %{customdata:.3f}: %{x:.3f}, %{y:.3f}<extra></extra>"
    shared = {"line": {"color": colour}, "legendgroup": name, "visible": visible, "hovertemplate": told, "mode": "lines"}
    # The curve's first threshold is infinite: nothing is taken for the diagnosis.
    finite = np.minimum(thresholds, 1.0)
    figure.add_trace(go.Scatter(x=false_positive, y=true_positive, customdata=finite, name=label, **shared), row=1, col=1)
    ends = np.append(cuts, 1.0)
    figure.add_trace(go.Scatter(x=recall, y=precision, customdata=ends, name=label, showlegend=False, **shared), row=1, col=2)


def _menu(shown: Sequence[str], models: int) -> list[dict[str, Any]]:
    """A choice a diagnosis: which of all traces are seen."""
    traces = 2 * models
    return [
        {
            "label": f"{code} {LESIONS[Diagnosis(code)].name}",
            "method": "update",
            "args": [{"visible": [place // traces == number for place in range(traces * len(shown))]}],
        }
        for number, code in enumerate(shown)
    ]
