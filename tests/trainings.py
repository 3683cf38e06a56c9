"""Trainings for tests: a small drawn dataset with its plan, and parameters of the tiny architectures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.augment_balance.plan import Balance, ClassificationPlan, Plan, Ranges, SegmentationPlan, read_plan, write_plan
from components.augment_balance.planning import count_sources
from components.dataset import Dataset, read_manifest, write_manifest
from components.lesions import Diagnosis, Split, Task
from components.params import TrainClassifierParams, TrainUnetParams, for_model, load_params
from components.project import project_file
from components.reporter import Reporter
from components.train_classifier import train_classifier
from components.train_unet import train_unet
from components.training.feed import Feed, open_feed
from components.training.folds import plan_members
from tests.datasets import preprocessed_dataset


@dataclass(frozen=True)
class Data:
    """What a trainer reads."""

    dataset: Path
    plan: Path


def make_data(root: Path, *, per_class: int = 3, size: tuple[int, int] = (16, 16), folds: int = 5) -> Data:
    """Write a drawn dataset, cut into at most 5 folds, and a plan that augments and does not balance: its classes are."""
    return planned(preprocessed_dataset(root / "dataset", per_class=per_class, size=size), root / "plan", folds=folds)


def planned(dataset: Path, plan: Path, *, folds: int = 5) -> Data:
    """Cut a dataset whose classes are balanced into at most 5 folds, and write its plan."""
    manifest = read_manifest(dataset)
    write_manifest(dataset, manifest.assign(fold=manifest["fold"] % folds))
    data = Dataset(dataset)
    labels = data.rows(Task.CLASSIFICATION, Split.TRAIN)["label"].tolist()
    images = {label: labels.count(label.value) for label in Diagnosis}
    once = dict.fromkeys(images, 1)
    write_plan(
        plan,
        Plan(
            data_version=data.version,
            seed=1,
            ranges=Ranges(rotation=30, horizontal_flip=True, vertical_flip=True, zoom=0.1, brightness=0.1),
            classification=ClassificationPlan(
                balance=Balance(max_repeats=1, class_weights=False),
                images=images,
                repeats=once,
                class_weights=dict.fromkeys(images, 1.0),
            ),
            segmentation=SegmentationPlan(images=count_sources(data.rows(Task.SEGMENTATION, Split.TRAIN))),
        ),
    )
    return Data(dataset, plan)


def open_first_feed(data: Data, params: TrainUnetParams | TrainClassifierParams) -> Feed:
    """What the first member of a model is trained on."""
    task = Task.SEGMENTATION if isinstance(params, TrainUnetParams) else Task.CLASSIFICATION
    return open_feed(Dataset(data.dataset), read_plan(data.plan), task, params, plan_members(params)[0])


def unet_params(name: str = "unet_tiny", **changes: Any) -> TrainUnetParams:
    """Parameters of a segmenter: the report's, a short training, and `changes`."""
    section = load_params(project_file("params.yaml"), profile="report").params.train_unet
    short = {"models": [name], "epochs": 3, "batch_size": 6, "learning_rate": 0.01}
    return for_model(section.model_copy(update=short | changes), name)


def classifier_params(name: str = "tiny_cnn", **changes: Any) -> TrainClassifierParams:
    """Parameters of a classifier: the report's, a short training from nothing, and `changes`."""
    section = load_params(project_file("params.yaml"), profile="report").params.train_classifier
    short = {"models": [name], "weights": "none", "frozen_epochs": 2, "epochs": 2, "batch_size": 6, "learning_rate": 0.001}
    return for_model(section.model_copy(update=short | changes), name)


def train_tiny(data: Data, out: Path, params: TrainUnetParams | TrainClassifierParams) -> Path:
    """Train in the folder `out`, going on from what lies there, and give it back."""
    out.mkdir(parents=True, exist_ok=True)
    reporter = Reporter(out, "training", out.parent / f"{out.name}.events")
    if isinstance(params, TrainUnetParams):
        train_unet(data.dataset, data.plan, out, params, reporter)
    else:
        train_classifier(data.dataset, data.plan, out, params, reporter)
    return out
