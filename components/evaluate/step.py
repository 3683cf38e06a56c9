"""The step: every model judged on the splits that it did not learn from."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from components.bundle import PARENT, Bundle, Description, read_description
from components.dataset import Dataset
from components.errors import BundleError
from components.evaluate.calibration import measure_calibration
from components.evaluate.classification import measure_answers
from components.evaluate.dimensions import image_dimensions
from components.evaluate.explanation import draw_explained, explain, measure_explanation
from components.evaluate.figures import (
    Overlay,
    draw_confusion,
    draw_dice,
    draw_f1,
    draw_overlays,
    draw_refusal,
    draw_reliability,
    draw_roc,
    draw_slices,
)
from components.evaluate.forgetting import compare_classifiers, compare_segmenters
from components.evaluate.interactive import INTERACTIVE, write_interactive
from components.evaluate.judged import answered, judged_table, read_predictions, rows_to_predict, split_judged, write_predictions
from components.evaluate.official import score_answers, score_masks, undecided, write_masks
from components.evaluate.refusal import probe
from components.evaluate.segmentation import measure_segmentation
from components.evaluate.sheets import draw_doubtful, draw_mistakes
from components.evaluate.slices import slice_classifier, slice_segmenter
from components.evaluate.tables import write_answers, write_curves, write_metrics
from components.evaluate.test_set import test_set_digest
from components.evenly import evenly
from components.lesions import Split, Task
from components.params import EvaluateParams
from components.predictions import predict_masks, probabilities_of
from components.reporter import Reporter
from components.scores import OUT_OF_FOLD_ROWS, VAL_ROWS, ClassifierScores, Scores, SegmenterScores, write_scores

_DRAWN = "drawn images (phantom): these figures say nothing about skin"


def evaluate(dataset: Path, models: Sequence[Path], out: Path, params: EvaluateParams, reporter: Reporter) -> None:
    """Predict val and test with every model, measure and draw: `scores.json`, `predictions/<model>.parquet`, `figures/`.

    A model that was trained with folds is judged by its out-of-fold predictions in place of val, from which it learned. One that
    was trained on from another is judged beside it, on the same images of test, and of val where it did not learn from val:
    `parents/<model>.parquet`.

    `submission/` holds the answers on test in the challenges' formats, `scored/` what the official scorer read besides: see
    `components/evaluate/official.py`.

    The same figures lie in `metrics/` and `plots/` for other programs: see `components/evaluate/tables.py`.

    Predictions that an earlier attempt left whole in `out` are kept.

    Args:
        dataset: a preprocessed dataset folder.
        models: model bundles, of one task or of both.
        out: the folder to write.
        params: what is measured and drawn.
        reporter: is told how many images are done.

    Raises:
        BundleError: a bundle breaks its contract, two have one name, a model predicts what is no probability, or out-of-fold
            predictions are absent, changed, or of another version of the data.
        DatasetError: `dataset` breaks its contract, or has no val or test images of a model's task.
    """
    judge = _Judge(Dataset(dataset), out, params, reporter)
    judge.count(models)
    scores = [judge.judge(path) for path in models]
    result = Scores(
        data_version=judge.dataset.version,
        phantom=judge.dataset.phantom,
        test_sets={one.task: test_set_digest(judge.dataset, Task(one.task)) for one in scores},
        models={one.name: one for one in scores},
        melanoma_specificity=params.melanoma_specificity,
    )
    if result.classifiers():
        reporter.figure("f1_by_diagnosis", draw_f1(result.classifiers(), judge.footnote))
        write_interactive(
            out / INTERACTIVE, {one.name: judge.test_answers(one.name) for one in result.classifiers()}, judge.footnote
        )
    write_scores(out, result)


class _Judge:
    """Judges one model after another, so that no two are in memory at once."""

    def __init__(self, dataset: Dataset, out: Path, params: EvaluateParams, reporter: Reporter) -> None:
        self.dataset = dataset
        self.footnote = _DRAWN if dataset.phantom else ""
        self._out = out
        self._params = params
        self._reporter = reporter
        self._done = 0
        self._total = 0

    def count(self, models: Sequence[Path]) -> None:
        """Find out how many predictions there are to make, and that no two models share a name."""
        seen: dict[str, Path] = {}
        for path in models:
            described = read_description(path)
            if described.name in seen:
                raise BundleError(f"{path}: is named {described.name}, as {seen[described.name]} is; give each model its own name")
            seen[described.name] = path
            self._total += len(rows_to_predict(self.dataset, described)) * (1 if described.parent is None else 2)

    def test_answers(self, name: str) -> pd.DataFrame:
        """What a model that was judged said of test."""
        return split_judged(read_predictions(self._out / "predictions" / f"{name}.parquet"))[1]

    def judge(self, path: Path) -> ClassifierScores | SegmenterScores:
        """Predict, measure and draw one model."""
        bundle = Bundle.load(path)
        table = self._predictions(path, bundle)
        write_curves(self._out, bundle.name, path)
        scores = self._classifier(path, bundle, table) if bundle.task is Task.CLASSIFICATION else self._segmenter(bundle, table)
        write_metrics(self._out, scores)
        if scores.slices:
            self._reporter.figure(f"{bundle.name}/slices", draw_slices(scores, self.footnote))
        return self._beside_parent(path, bundle.description, scores, table) if bundle.description.parent else scores

    def _beside_parent(
        self, folder: Path, description: Description, scores: ClassifierScores | SegmenterScores, table: pd.DataFrame
    ) -> ClassifierScores | SegmenterScores:
        """The scores, with those of the model that it was trained on from."""
        assert description.parent is not None
        path = self._out / "parents" / f"{scores.name}.parquet"
        rows = rows_to_predict(self.dataset, description)
        if path.exists():
            self._tell(scores.name, len(rows))
        else:
            # It saw images of the same colours, maybe of another size, which is told: `pipelines.start_from` refuses others. Images
            # as they came, which could be brought to its own size, do not reach this step.
            parent = Bundle.load(folder / PARENT).on(self.dataset.preprocessing)
            write_predictions(path, answered(parent, self.dataset, rows, lambda images: self._tell(scores.name, images)))
        before = read_predictions(path)
        other_size = read_description(folder / PARENT).stored_size != description.stored_size
        if isinstance(scores, SegmenterScores):
            masks = compare_segmenters(description.parent, before, table, other_size=other_size)
            return scores.model_copy(update={"parent": masks})
        specificity = self._params.melanoma_specificity
        compared = compare_classifiers(description.parent, before, table, specificity, other_size=other_size)
        return scores.model_copy(update={"parent": compared})

    def _predictions(self, folder: Path, bundle: Bundle) -> pd.DataFrame:
        path = self._out / "predictions" / f"{bundle.name}.parquet"
        if path.exists():
            self._tell(bundle.name, len(rows_to_predict(self.dataset, bundle.description)))
            return read_predictions(path)
        keep = partial(write_masks, self._out, bundle.name)
        table = judged_table(folder, bundle, self.dataset, lambda images: self._tell(bundle.name, images), keep)
        write_predictions(path, table)
        return table

    def _tell(self, name: str, images: int) -> None:
        self._done += images
        self._reporter.progress(self._done, self._total, f"images, {name}")

    def _classifier(self, folder: Path, bundle: Bundle, table: pd.DataFrame) -> ClassifierScores:
        parts = split_judged(table)
        val, test = (measure_answers(part, self._params.melanoma_specificity) for part in parts)
        shown = parts[1]
        official = score_answers(self._out, bundle.name, shown)
        sliced = slice_classifier(shown, image_dimensions(self.dataset, bundle.task))
        scores = ClassifierScores(**_about(bundle), **vars(sliced), val=val, test=test, official=official)
        absent = [code for code, one in test.classes.items() if one.auc is None]
        if absent:
            self._reporter.message(f"{bundle.name}: no AUC on test for {', '.join(absent)}, which it does not hold")
        truth, probabilities = shown["label"].tolist(), probabilities_of(shown)
        if ties := undecided(probabilities):
            self._reporter.message(
                f"{bundle.name}: {ties:,} images of test have two equally probable diagnoses, which the official scorer counts as "
                "wrong; balanced accuracy is not compared with its own"
            )
        write_answers(self._out, bundle.name, truth, probabilities)
        self._reporter.figure(f"{bundle.name}/confusion", draw_confusion(scores, self.footnote))
        self._reporter.figure(f"{bundle.name}/roc", draw_roc(scores, truth, probabilities, self.footnote))
        return self._calibrated(bundle, self._looked_into(folder, bundle, scores, shown), table)

    def _calibrated(self, bundle: Bundle, scores: ClassifierScores, table: pd.DataFrame) -> ClassifierScores:
        """The scores, with those of the calibration and of the refusal where the bundle has them."""
        calibration = measure_calibration(bundle.description, *split_judged(table))
        if calibration is not None:
            self._reporter.figure(f"{bundle.name}/reliability", draw_reliability(bundle.name, calibration, self.footnote))
        elif bundle.description.temperature is not None:
            self._reporter.message(f"{bundle.name}: val or test has fewer than two lesions, too few to measure its calibration")
        probed = probe(bundle, self.dataset, self.dataset.rows(Task.CLASSIFICATION, Split.TEST))
        if probed is not None:
            self._reporter.figure(f"{bundle.name}/refusal", draw_refusal(bundle.name, probed, self.footnote))
        return scores.model_copy(update={"calibration": calibration, "refusal": probed.scores() if probed else None})

    def _looked_into(self, folder: Path, bundle: Bundle, scores: ClassifierScores, test: pd.DataFrame) -> ClassifierScores:
        """Draw where it is wrong, where it is in doubt and where it looks; the scores, with what is measured of the last."""
        mistakes = draw_mistakes(bundle.name, test, self.dataset, self.footnote)
        if mistakes is not None:
            self._reporter.figure(f"{bundle.name}/mistakes", mistakes)
        self._reporter.figure(f"{bundle.name}/doubtful", draw_doubtful(bundle.name, test, self.dataset, self.footnote))
        explained = explain(folder, bundle, self.dataset, test)
        if isinstance(explained, str):
            self._reporter.message(f"{bundle.name}: where it looks is not told: {explained}")
            return scores
        explanation = measure_explanation(explained)
        if explanation is not None:
            sheet = draw_explained(bundle.name, explained, explanation, self.footnote)
            self._reporter.figure(f"{bundle.name}/explained", sheet)
        return scores.model_copy(update={"explanation": explanation})

    def _segmenter(self, bundle: Bundle, table: pd.DataFrame) -> SegmenterScores:
        val, test = split_judged(table)
        measured = [measure_segmentation(part, part["group_id"].tolist()) for part in (val, test)]
        official = score_masks(self._out, bundle.name, test["image_id"].tolist(), measured[1])
        sliced = slice_segmenter(test, image_dimensions(self.dataset, bundle.task))
        scores = SegmenterScores(**_about(bundle), **vars(sliced), val=measured[0], test=measured[1], official=official)
        self._reporter.figure(f"{bundle.name}/dice", draw_dice(bundle.name, test["dice"].to_numpy(), self.footnote))
        if self._params.overlays:
            self._overlays(bundle, test)
        return scores

    def _overlays(self, bundle: Bundle, test: pd.DataFrame) -> None:
        ranked = test.sort_values(["dice", "image_id"], ignore_index=True)
        places = evenly(len(ranked), self._params.overlays)
        chosen = ranked.iloc[places]
        rows = self.dataset.rows(Task.SEGMENTATION, Split.TEST).set_index("image_id", drop=False).loc[chosen["image_id"]]
        images, truth = self.dataset.images(rows), self.dataset.masks(rows) > 0
        predicted = predict_masks(bundle, self.dataset, rows)
        overlays = [
            Overlay(str(name), image, true, said, float(dice))
            for name, image, true, said, dice in zip(chosen["image_id"], images, truth, predicted, chosen["dice"], strict=True)
        ]
        self._reporter.figure(f"{bundle.name}/overlays", draw_overlays(bundle.name, overlays, len(test), self.footnote))


def _about(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "architecture": bundle.architecture,
        "parameters_total": bundle.parameters_total,
        "val_rows": VAL_ROWS if bundle.description.out_of_fold is None else OUT_OF_FOLD_ROWS,
    }
