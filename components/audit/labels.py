"""Labels: diagnoses that a model doubts which has not seen them, ranked (confident learning, Northcutt et al. 2021; cleanlab)."""

from collections import Counter
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.audit.data import AuditedData
from components.audit.findings import SHOWN, Checked, Exhibit, Family, Finding, Severity, Table
from components.audit.words import count, percent
from components.errors import TableError
from components.lesions import CODES, Split

PREDICTED: tuple[str, ...] = tuple(f"p_{code}" for code in CODES)
_IMAGE = "image_id"
# Of the images that are judged, the share from which labels, and not single images, are in doubt.
_MANY = 0.05
_FEWEST = 50
# A model that is wrong about more than this cannot tell its own mistakes from those of the labels.
_WEAKEST = 0.6


def read_predictions(path: Path) -> pd.DataFrame:
    """Read out-of-fold predictions: `image_id` and p_MEL … p_SCC; Parquet (as evaluate writes it) or CSV.

    Columns called by the bare codes (MEL … SCC) are taken too. Where there is a column `split`, rows of train are left out: the
    model learnt from them. A file without it is taken at its word.

    Returns:
        `image_id` and the columns of PREDICTED, each row's sum 1.

    Raises:
        TableError: the file cannot be read, a column is missing, a cell is no probability, or an image comes twice.
    """
    table = _read(path)
    table = table.rename(columns={code: f"p_{code}" for code in CODES if f"p_{code}" not in table.columns})
    for name in (_IMAGE, *PREDICTED):
        if name not in table.columns:
            raise TableError(f"{path}: column {name} is missing; it must have {_IMAGE}, {', '.join(PREDICTED)}")
    if "split" in table.columns:
        table = table[table["split"] != Split.TRAIN.value]
    table = table[[_IMAGE, *PREDICTED]].reset_index(drop=True)
    if table[_IMAGE].duplicated().any():
        twice = table[_IMAGE][table[_IMAGE].duplicated()].iloc[0]
        raise TableError(f"{path}: {twice} has two rows; keep the prediction of a model that did not learn from it")
    values = table[list(PREDICTED)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    sums = values.sum(axis=1)
    bad = ~(np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1) & (np.abs(sums - 1) < 0.01))
    if bad.any():
        raise TableError(
            f"{path}: {table[_IMAGE][int(bad.argmax())]}: its eight numbers are no probabilities that sum to 1; mend the row"
        )
    return pd.DataFrame(values / sums[:, None], columns=list(PREDICTED)).assign(image_id=table[_IMAGE].astype(str))


def _read(path: Path) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's and pandas' own errors are ValueErrors
        raise TableError(
            f"{path}: cannot be read ({str(error).splitlines()[0]}); give a CSV or Parquet file of predictions"
        ) from error
    return table


def find_label_issues(data: AuditedData, predictions: pd.DataFrame | None) -> Checked:
    """Rank the diagnoses that out-of-fold predictions contradict.

    Args:
        data: the dataset.
        predictions: see `read_predictions`; None: there are none.
    """
    if predictions is None:
        return Checked(
            unchecked=[
                "Labels were not checked: there are no out-of-fold predictions yet. After a run, `dermacare data audit` finds them."
            ]
        )
    judged = data.labelled.merge(predictions, on="image_id", how="inner")
    if len(judged) < _FEWEST:
        return Checked(
            unchecked=[f"Labels were not checked: the predictions hold {len(judged):,} of these images, fewer than {_FEWEST}."]
        )
    classes = [code for code in CODES if code in set(judged["label"])]
    suggested, issues = _ranked(judged, classes)
    accuracy = float((suggested == judged["label"]).mean())
    if accuracy < _WEAKEST:
        return Checked(
            unchecked=[
                f"Labels were not checked: the model whose predictions are there is right on {percent(accuracy)} of "
                f"{len(judged):,} images that it did not learn from, and below {percent(_WEAKEST)} its own mistakes hide those "
                "of the labels."
            ]
        )
    how = (
        f"A model judged {len(judged):,} images from which it did not learn (accuracy {accuracy:.2f}). Confident learning takes a "
        "label for wrong where the model is surer of another diagnosis than it usually is of images that carry it. The weaker the "
        "model, the more of these are its own mistakes: a list to look through, most doubtful first, not a verdict."
    )
    if issues.empty:
        return Checked(
            sound=[f"No label of the {len(judged):,} images that were judged is in doubt (model accuracy {accuracy:.2f})."]
        )
    share = len(issues) / len(judged)
    doubts = Counter(zip(issues["label"], issues["suggested"], strict=True))
    rows = [(given, suggested, f"{number:,}") for (given, suggested), number in doubts.most_common(8)]
    exhibits = [Exhibit((row["image_id"],), _doubt(row), (row["split"],)) for row in issues.head(SHOWN).to_dict("records")]
    finding = Finding(
        "label-issues",
        Family.LABELS,
        Severity.MEDIUM if share >= _MANY and accuracy >= 0.7 else Severity.LOW,
        f"A model that did not see them doubts {count(len(issues), 'label')} of {len(judged):,} ({percent(share)})",
        f"{len(issues):,} of {len(judged):,}",
        "Have a dermatologist look at the first of them, blind to the label; correct what is wrong in the tables.",
        how,
        measures={"issues": len(issues), "judged": len(judged), "model_accuracy": accuracy},
        images=issues["image_id"].tolist(),
        exhibits=exhibits,
        tables=[Table("Most frequent doubts", ("given", "suggested", "images"), rows)],
    )
    return Checked([finding])


def _doubt(row: Mapping[Hashable, Any]) -> str:
    return f"given {row['label']} ({row['given']:.2f}), suggested {row['suggested']} ({row['best']:.2f})"


def _ranked(judged: pd.DataFrame, classes: list[str]) -> tuple[npt.NDArray[np.object_], pd.DataFrame]:
    """The most probable diagnosis of each row; and the rows in doubt, most doubtful first."""
    from cleanlab.filter import find_label_issues as ranked_issues

    probabilities = judged[[f"p_{code}" for code in classes]].to_numpy(np.float64)
    probabilities = probabilities / np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-12)
    labels = np.array([classes.index(code) for code in judged["label"]])
    best = probabilities.argmax(axis=1)
    suggested = np.array(classes, dtype=object)[best]
    order = ranked_issues(
        labels, probabilities, filter_by="confident_learning", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    issues = judged[["image_id", "label", "split"]].assign(
        suggested=suggested, given=probabilities[np.arange(len(labels)), labels], best=probabilities.max(axis=1)
    )
    return suggested, issues.iloc[order]
