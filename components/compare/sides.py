"""What is compared: two sides, each a run or a registered version, as `pipelines/compare.py` finds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from components.dataset import Dataset
from components.evaluate.test_set import TRUTH
from components.lesions import Split, Task


@dataclass(frozen=True)
class Answers:
    """What a model said of images of test.

    Attributes:
        table: columns of `components.evaluate.judged`, and `sha256` and `truth` (`with_truth`); no image that the model is known to
            have learned from.
        left_out: how many were left out since it learned from them; None: not known, since its data is not here.
        dataset: preprocessed; the images.
        bundle: the model's folder, of which masks are asked.
    """

    table: pd.DataFrame
    left_out: int | None
    dataset: Dataset
    bundle: Path


@dataclass(frozen=True)
class Model:
    """A model of a side.

    Attributes:
        name: as its run calls it.
        task: what it answers.
        figures: all its figures by flat name, `test/macro_f1`, as its own run measured them.
        chosen: whether it is the one of its task that the run chose, or the version itself.
        version: `lesion-classifier/7`, or empty where it is not known to be registered.
        test_set: what tells the test set apart that its figures are of; empty: not known.
        answers: None where no image's answers can be had.
    """

    name: str
    task: Task
    figures: Mapping[str, float]
    chosen: bool
    version: str = ""
    test_set: str = ""
    answers: Answers | None = None


@dataclass(frozen=True)
class Side:
    """A run, or a version as the run that made it.

    Attributes:
        name: as a reader knows it: the run's id, or `lesion-classifier/7 (production)`.
        facts: what made it, by name: data version, commit, libraries.
        params: its run's parameters, flat; empty where they are not known any more.
        models: those of the run, or the one of the version.
        phantom: whether its data was drawn.
        notes: what the reader must know of how this was found; sentences without their full stop.
    """

    name: str
    facts: Mapping[str, str]
    params: Mapping[str, str]
    models: tuple[Model, ...]
    phantom: bool
    notes: tuple[str, ...] = ()


def with_truth(dataset: Dataset, task: Task, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of test of a table of predictions, with `sha256` of the image and `truth`: its label, or its mask's SHA-256."""
    rows = dataset.rows(task, Split.TEST)
    known = pd.DataFrame({"image_id": rows["image_id"], "sha256": rows["sha256"], "truth": rows[TRUTH[task]]})
    return table[table["split"] == Split.TEST.value].merge(known, on="image_id", validate="one_to_one")
