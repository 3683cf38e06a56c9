"""Calibration and sets of a classifier by its out-of-fold predictions: each fold by what was fitted on the others."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from components.calibration import fit_temperature
from components.calibration_scores import Bin, Coverage, Estimate
from components.conformal import LEVEL
from components.evaluate.calibration import cross_fitted, measure_split
from components.lesions import CODES
from components.predictions import probabilities_of


def measure_table(option: str, file: str) -> Iterator[str]:
    """`--table out_of_fold.parquet`: a line a figure."""
    assert option == "--table", "usage: python -m tests.results calibration --table out_of_fold.parquet"
    yield from report(pd.read_parquet(Path(file)))


def report(table: pd.DataFrame) -> Iterator[str]:
    """Lines about out-of-fold predictions: columns `group_id`, `fold`, `label`, p_MEL … p_SCC, not calibrated."""
    raw, truth = probabilities_of(table), table["label"].map(CODES.index).to_numpy(np.intp)
    calibrated, inside = cross_fitted(table, raw)
    measured = measure_split(table, raw, calibrated, inside)
    yield f"{len(table)} images of {table['group_id'].nunique()} groups; temperature of all {fit_temperature(truth, raw):.3f}"
    for what, said, error, bins in (
        ("before", raw, measured.ece_before, measured.reliability_before),
        ("after", calibrated, measured.ece, measured.reliability),
    ):
        likelihood = -np.log(np.maximum(said[np.arange(len(truth)), truth], 1e-12)).mean()
        yield f"  {what}: debiased ECE {_of(error)}, plain ECE {_plain(bins):.3f}, negative log-likelihood {likelihood:.3f}"
    yield f"  sets at {LEVEL:.0%}: {_covered(measured.coverage)}"
    for code, one in measured.classes.items():
        yield f"    {code}: {_covered(one)}"
    few = [code for code in CODES if code not in measured.classes]
    if few:
        yield f"    too few lesions: {', '.join(few)}"


def _of(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _plain(bins: list[Bin]) -> float:
    return sum(one.images * abs(one.accuracy - one.confidence) for one in bins) / sum(one.images for one in bins)


def _covered(one: Coverage) -> str:
    holds = "inside" if one.share.low <= LEVEL <= one.share.high else "outside"
    counts = f"{one.covered} of {one.images}, {one.mean_size:.2f} diagnoses a set, {one.empty} sets empty"
    return f"coverage {_of(one.share)}, {LEVEL:.0%} {holds}; {counts}"
