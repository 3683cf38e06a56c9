"""From a trained model to a whole bundle: curves, weights, ONNX, card."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from components.bundle import Description, read_description, read_parent, write_bundle
from components.files import writing
from components.flips import mean_over_flips
from components.lesions import CODES, Split, Task
from components.params import TrainClassifierParams, TrainUnetParams
from components.reporter import Reporter
from components.training.backend import keras
from components.training.card import write_card
from components.training.checkpoint import Checkpoints
from components.training.curves import draw_curves, read_epochs
from components.training.feed import Feed
from components.training.libraries import library_versions
from components.training.loop import predictor
from components.training.onnx_export import export_onnx
from components.training.threshold import choose_mask_threshold

_OUTPUTS = {Task.CLASSIFICATION: "probabilities", Task.SEGMENTATION: "mask"}


@dataclass(frozen=True)
class Parameters:
    """Numbers of a model's weights: all of them, and those that training may change."""

    total: int
    trainable: int


def count_parameters(model: keras.Model) -> Parameters:
    """Count a model's weights as it stands, frozen layers as not trainable."""
    return Parameters(model.count_params(), sum(math.prod(variable.shape) for variable in model.trainable_variables))


def deliver(
    model: keras.Model,
    parameters: Parameters,
    feed: Feed,
    params: TrainUnetParams | TrainClassifierParams,
    out: Path,
    reporter: Reporter,
) -> None:
    """Write the bundle of a trained model, and the curves of its training, into the folder `out`.

    Args:
        model: trained; its weights go into the bundle.
        parameters: of the model as it was trained.
        feed: what it was trained on.
        params: how it was trained; `models` holds one name.
        out: the folder; holds the training's metrics.jsonl and checkpoints.
        reporter: gets the figure.
    """
    (name,) = params.models
    segmenter = feed.dataset.segmenter if feed.task is Task.CLASSIFICATION else None
    description = Description(
        name=name,
        task=feed.task,
        architecture=name,
        input_size=feed.size,
        classes=CODES if feed.task is Task.CLASSIFICATION else (),
        preprocess=feed.dataset.preprocessing,
        mask_threshold=_mask_threshold(model, feed, params),
        test_flips=params.test_flips,
        parameters_total=parameters.total,
        parameters_trainable=parameters.trainable,
        data_version=feed.dataset.version,
        phantom=feed.dataset.phantom,
        training=params.identity().model_dump(mode="json"),
        parent=read_parent(out),
        segmenter_files=read_description(segmenter).files if segmenter else (),
        libraries=library_versions(),
    )
    reporter.figure("curves", draw_curves(name, read_epochs(out / "metrics.jsonl"), _footnote(feed)))
    # Beside the checkpoints, so that what a killed attempt leaves of it goes with them.
    weights = Checkpoints(out).folder / "finished.weights.h5"
    with writing(weights):
        model.save_weights(weights)
    write_bundle(
        out,
        description,
        model=export_onnx(model, _OUTPUTS[feed.task]),
        weights=[weights],
        card=write_card(description, feed.dataset),
        segmenter=segmenter,
    )
    reporter.progress(1, 1, "bundle")  # training may have stopped before its last epoch


def _mask_threshold(model: keras.Model, feed: Feed, params: TrainUnetParams | TrainClassifierParams) -> float | None:
    if isinstance(params, TrainClassifierParams):
        return None
    if params.mask_threshold is not None:
        return params.mask_threshold
    answer = predictor(model)
    whole = partial(mean_over_flips, answer) if params.test_flips else answer
    return choose_mask_threshold((batch.targets, whole(batch.images)) for batch in feed.val())


def _footnote(feed: Feed) -> str:
    train, val = (len(feed.dataset.rows(feed.task, split)) for split in (Split.TRAIN, Split.VAL))
    drawn = "; drawn images (phantom), these figures say nothing about skin" if feed.dataset.phantom else ""
    return f"{train:,} images in train, {val:,} in val{drawn}"
