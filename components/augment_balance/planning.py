"""From images and a rule to a plan: for train, and for any other rows that a model learns from."""

from collections.abc import Mapping

import pandas as pd

from components.augment_balance.balance import count_repeats, limit_images, weigh_classes
from components.augment_balance.plan import Balance, ClassificationPlan, Plan, SegmentationPlan
from components.errors import DatasetError
from components.lesions import Diagnosis, Task


def count_images(rows: pd.DataFrame) -> dict[Diagnosis, int]:
    """Images of each diagnosis that classification rows hold."""
    labels = rows["label"].tolist()
    return {label: labels.count(label.value) for label in Diagnosis if label.value in labels}


def count_sources(rows: pd.DataFrame) -> dict[str, int]:
    """Images of each source that rows hold."""
    return {str(source): int(count) for source, count in rows["source"].value_counts().sort_index().items()}


def balance_images(images: Mapping[Diagnosis, int], max_images: int | None, balance: Balance) -> ClassificationPlan:
    """Balance the diagnoses.

    Args:
        images: of each diagnosis, 1 or more.
        max_images: most images of a diagnosis that an epoch shows; None: all.
        balance: the rule.
    """
    # An epoch is balanced by what it shows, not by what there is.
    shown = limit_images(images, max_images)
    repeats = count_repeats(shown, balance.max_repeats)
    weights = weigh_classes(shown, repeats) if balance.class_weights else dict.fromkeys(images, 1.0)
    return ClassificationPlan(balance=balance, images=dict(images), max_images=max_images, repeats=repeats, class_weights=weights)


def plan_rows(plan: Plan, task: Task, rows: pd.DataFrame) -> Plan:
    """The plan for other rows than train's of the same dataset: the same draws, balanced by the same rule.

    Args:
        plan: for train.
        task: the only one that the result is for.
        rows: of that task, at least one.

    Raises:
        DatasetError: `plan` is not for this task, or its balance does not follow from a rule.
    """
    if task not in plan.tasks():
        raise DatasetError(f"plan.json: {task} is null: no image is planned for it; add images for it, or train no model of it")
    if task is Task.SEGMENTATION:
        assert plan.segmentation is not None
        segmentation = SegmentationPlan(images=count_sources(rows), max_images=plan.segmentation.max_images)
        return plan.model_copy(update={"classification": None, "segmentation": segmentation})
    own = plan.classification
    assert own is not None
    if own.balance is None or balance_images(own.images, own.max_images, own.balance) != own:
        raise DatasetError(
            "plan.json: classification.repeats or class_weights do not follow from classification.balance, by which other rows "
            "than train's are balanced; make the plan again instead of editing them, or train with folds 1"
        )
    balanced = balance_images(count_images(rows), own.max_images, own.balance)
    return plan.model_copy(update={"classification": balanced, "segmentation": None})
