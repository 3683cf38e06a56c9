"""The step: labels of train in, plan.json out."""

from pathlib import Path

from components.augment_balance.figures import draw_classification_sheet, draw_segmentation_sheet
from components.augment_balance.plan import Balance, ClassificationPlan, Plan, Ranges, SegmentationPlan, write_plan
from components.augment_balance.planning import balance_images, count_images, count_sources
from components.dataset import Dataset
from components.errors import DataRefused
from components.lesions import Split, Task
from components.params import AugmentBalanceParams
from components.reporter import Reporter


def augment_balance(dataset: Path, out: Path, params: AugmentBalanceParams, reporter: Reporter) -> None:
    """Plan how training draws and balances its images, from the train split alone; val and test stay as they are.

    Writes plan.json, and a sheet of images before and after augmentation for each task that has images: figures
    `samples_classification` and `samples_segmentation`.

    Args:
        dataset: a preprocessed dataset folder.
        out: the folder to write.
        params: ranges of the draws, and how classes are balanced.
        reporter: is told what the plan comes to.

    Raises:
        DatasetError: `dataset` breaks its contract.
        DataRefused: a task has images but none in train.
    """
    source = Dataset(dataset)
    plan = plan_training(source, params)
    write_plan(out, plan)
    if plan.classification is not None:
        reporter.message(f"classification: {plan.classification.samples:,} samples an epoch")
        reporter.figure("samples_classification", draw_classification_sheet(source, plan))
    if plan.segmentation is not None:
        reporter.message(f"segmentation: {plan.segmentation.samples:,} samples an epoch")
        reporter.figure("samples_segmentation", draw_segmentation_sheet(source, plan))
    reporter.progress(1, 1, "plan")


def plan_training(source: Dataset, params: AugmentBalanceParams) -> Plan:
    """The plan for a dataset; for errors see `augment_balance`."""
    return Plan(
        data_version=source.version,
        seed=params.seed,
        ranges=Ranges(**params.model_dump(include=set(Ranges.model_fields))),
        classification=_plan_classification(source, params) if Task.CLASSIFICATION in source.tasks() else None,
        segmentation=_plan_segmentation(source, params) if Task.SEGMENTATION in source.tasks() else None,
    )


def _plan_classification(source: Dataset, params: AugmentBalanceParams) -> ClassificationPlan:
    images = count_images(source.rows(Task.CLASSIFICATION, Split.TRAIN))
    if not images:
        raise DataRefused(_nothing_to_train_on(source, Task.CLASSIFICATION))
    balance = Balance(max_repeats=params.max_repeats if params.oversample else 1, class_weights=params.class_weights)
    return balance_images(images, params.max_images, balance)


def _plan_segmentation(source: Dataset, params: AugmentBalanceParams) -> SegmentationPlan:
    images = count_sources(source.rows(Task.SEGMENTATION, Split.TRAIN))
    if not images:
        raise DataRefused(_nothing_to_train_on(source, Task.SEGMENTATION))
    return SegmentationPlan(images=images, max_images=params.max_masks)


def _nothing_to_train_on(source: Dataset, task: Task) -> str:
    return f"{source.root}/manifest.parquet: no {task} row has split train; add images, or leave this task's images out"
