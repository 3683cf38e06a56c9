"""The study: the same model twice, judged on the same images.

clean.parquet, leaked.parquet    image_id, group_id, label, p_MEL … p_SCC of each model, for every image of the test set
leak.json                        the figures: see `components.leak_study.scores`
leak.md, figures/leak.png        the same for people
figures/clean/, figures/leaked/  curves of the two trainings
arms/                            while it goes on: the two trainings, each with checkpoints of its own
"""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from components.augment_balance.step import plan_training
from components.bundle import Bundle
from components.dataset import Dataset
from components.evaluate.bootstrap import paired_differences
from components.evaluate.classification import measure_classification
from components.evaluate.judged import read_predictions, write_predictions
from components.files import write_text
from components.leak_study.figures import draw_leak
from components.leak_study.page import write_page
from components.leak_study.partition import Partition, divide
from components.leak_study.scores import LeakScores, LeakStudyParams, Paired, write_leak
from components.lesions import Split, Task
from components.predictions import predict_rows, probabilities_of
from components.reporter import Reporter

_ARMS = "arms"


def study_leak(dataset: Path, out: Path, params: LeakStudyParams, reporter: Reporter) -> LeakScores:
    """Measure what the leak of an image split is worth.

    Two splits cannot be compared: their test sets differ. So there is one test set, and two models that differ in a part of what
    they learn from: `clean` never sees a group of the test set; `leaked` sees, in place of as many other images of the same
    diagnoses and of as many groups, those of its groups that a random split of images would have put into train. Everything else
    is the same: parameters, seeds, number of images of each diagnosis, number of groups, and the dataset's val, which judges both
    trainings and is of other groups.

    Can be killed anywhere and called again.

    Args:
        dataset: a preprocessed dataset folder.
        out: the folder to write.
        params: what is trained, and how images are split.
        reporter: is told how far it is, takes the figures.

    Raises:
        DataRefused: nothing leaks.
        DatasetError: `dataset` breaks its contract, or has no val images.
        ParamsError, WeightsError, TrainingDiverged: see `components.train_classifier`.
    """
    data = Dataset(dataset)
    parts = divide(data, params.test_share, params.classifier.seed)
    said = [
        _answers(data, parts, parts.other, params, out, _ArmReporter(reporter, "clean", 0)),
        _answers(data, parts, parts.leaked, params, out, _ArmReporter(reporter, "leaked", 1)),
    ]
    scores = _compare(data, parts, params, *said)
    write_leak(out, scores)
    reporter.figure("leak", draw_leak(scores))
    write_text(out / "leak.md", write_page(scores))
    reporter.metrics(scores.flat())
    shutil.rmtree(out / _ARMS, ignore_errors=True)
    reporter.progress(1, 1, "leak study")
    return scores


class _ArmReporter(Reporter):
    """Tells of one of the two trainings; its curves stay in its own folder, its pictures go to the study's."""

    def __init__(self, whole: Reporter, name: str, place: int) -> None:
        super().__init__(whole.out / _ARMS / name, whole.step)
        self.name = name
        self._whole = whole
        self._place = place

    def progress(self, done: int, total: int, what: str = "", left: float | None = None) -> None:
        """As a half of the study's; of the first one no time left is told, since its steps do not tell how long the other takes."""
        self._whole.progress(self._place * total + done, 2 * total + 1, f"{self.name}: {what}", left if self._place else None)

    def message(self, text: str) -> None:
        """One line, with the model's name before it."""
        self._whole.message(f"{self.name}: {text}")

    def figure(self, name: str, figure: Any) -> Path:
        """Save a picture in a folder of the model's name."""
        return self._whole.figure(f"{self.name}/{name}", figure)


def _answers(
    data: Dataset, parts: Partition, own: pd.DataFrame, params: LeakStudyParams, out: Path, reporter: _ArmReporter
) -> pd.DataFrame:
    """What the model says of the test set that learned from the shared images and its own."""
    path = out / f"{reporter.name}.parquet"
    if not path.exists():
        # TensorFlow takes seconds to import, and a study that is done must answer without it.
        from components.train_classifier.step import learn
        from components.training.members import Learning

        arm = _arm(data, parts, own)
        alone = params.classifier.model_copy(update={"folds": 1, "fold": None})
        reporter.out.mkdir(parents=True, exist_ok=True)
        learn(Learning(arm, plan_training(arm, params.balance), Task.CLASSIFICATION, alone), reporter.out, reporter)
        rows = arm.rows(Task.CLASSIFICATION, Split.TEST)
        answers = predict_rows(Bundle.load(reporter.out), arm, rows, lambda images: None)
        write_predictions(path, rows[["image_id", "group_id", "label"]].join(answers))
    return read_predictions(path)


def _arm(data: Dataset, parts: Partition, own: pd.DataFrame) -> Dataset:
    """The dataset of one model."""
    train = pd.concat([parts.shared, own]).assign(split=Split.TRAIN.value)
    val = data.rows(Task.CLASSIFICATION, Split.VAL)
    rows = pd.concat([train, val, parts.test.assign(split=Split.TEST.value)])
    return data.with_manifest(rows.sort_values("image_id", kind="stable"))


def _compare(data: Dataset, parts: Partition, params: LeakStudyParams, clean: pd.DataFrame, leaked: pd.DataFrame) -> LeakScores:
    truth, groups = clean["label"].tolist(), clean["group_id"].tolist()
    probabilities = [probabilities_of(table) for table in (clean, leaked)]
    ends = paired_differences(truth, probabilities[0], probabilities[1], groups)
    figures = [
        {"balanced_accuracy": one.balanced_accuracy, "accuracy": one.accuracy, "macro_f1": one.macro.f1}
        for one in (measure_classification(truth, said) for said in probabilities)
    ]
    (model,) = params.classifier.models
    return LeakScores(
        data_version=data.version,
        preprocess=params.preprocess,
        phantom=data.phantom,
        model=model,
        seeds=params.classifier.seeds,
        test_images=len(parts.test),
        test_groups=parts.test["group_id"].nunique(),
        train_images=len(parts.shared) + len(parts.leaked),
        leaked_images=len(parts.leaked),
        leaking_share=parts.leaking_share,
        figures={
            name: Paired(clean=value, leaked=figures[1][name], low=ends[name].low, high=ends[name].high)
            for name, value in figures[0].items()
        },
    )
