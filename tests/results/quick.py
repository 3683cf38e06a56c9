"""Profile `quick` on HAM10000: what it takes and comes to, what a crop to the lesion changes, what a leak of lesions is worth."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from components.evaluate.bootstrap import intervals, paired_differences
from components.evaluate.judged import read_predictions
from components.lesions import Split
from components.predictions import probabilities_of
from components.scores import Difference
from pipelines.home import VARIABLE
from tests.results.classification import FIGURES, FLAT
from tests.results.run import Finished, assigned, folder, real_data, run
from tests.results.segmentation import report as report_masks

_HOME = "quick"
_CLASSIFIER, _SEGMENTER = "efficientnet_lite0", "unet_efficientnet_lite0"


def measure_quick(*changes: str) -> Iterator[str]:
    """Minutes of each step, and both models on test."""
    finished = _quick(*changes)
    minutes = {step.name: finished.minutes(step.name) for step in finished.record.steps.steps}
    each = ", ".join(f"{step} {taken:.1f}" for step, taken in minutes.items())
    yield f"{sum(minutes.values()):.0f} minutes: {each}"
    yield from report_masks(finished, _SEGMENTER)
    test = _on_test(finished)
    yield f"{_CLASSIFIER}: {len(test)} images of test"
    ends = intervals(test["label"].tolist(), probabilities_of(test), test["group_id"].tolist())
    for name, figure in FIGURES.items():
        one = ends[FLAT[name]]
        yield f"  {name} {figure(test):.3f} ({one.low:.3f} to {one.high:.3f})"


def measure_crop(*changes: str) -> Iterator[str]:
    """The classifier of `quick` on whole images, and cropped by its segmenter: the difference on the same images of test."""
    whole = _on_test(_quick(*changes))
    only = assigned({"train_unet.models": []})
    cropped = _on_test(_quick(*only, "--crop-by", "1", *changes)).set_index("image_id").loc[whole["image_id"]].reset_index()
    yield f"{_CLASSIFIER}: {len(whole)} images of test"
    said = [probabilities_of(table) for table in (whole, cropped)]
    apart = paired_differences(whole["label"].tolist(), said[0], said[1], whole["group_id"].tolist())
    for name, figure in FIGURES.items():
        yield f"  {name}: whole {figure(whole):.3f}, cropped {figure(cropped):.3f}, {_told(apart[FLAT[name]])}"


def measure_leak(*changes: str) -> Iterator[str]:
    """`dermacare study leak` on the data and with the recipe of `quick`, which is run first."""
    _quick()
    command = [
        str(Path(sys.executable).with_name("dermacare")),
        "study",
        "leak",
        "--model",
        _CLASSIFIER,
        "--profile",
        "quick",
        *changes,
    ]
    yield shlex.join(["dermacare", *command[1:]])
    subprocess.run(command, check=True, env=os.environ | {VARIABLE: str(folder(_HOME))})


def _quick(*more: str) -> Finished:
    data = ("--data", str(real_data() / "ham10000"))
    return run(_HOME, "--profile", "quick", *data, *assigned({"validate.audit_fail_on": "never"}), *more)


def _on_test(finished: Finished) -> pd.DataFrame:
    table = read_predictions(finished.output("evaluate") / "predictions" / f"{_CLASSIFIER}.parquet")
    return table[table["split"] == Split.TEST.value].reset_index(drop=True)


def _told(difference: Difference) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
