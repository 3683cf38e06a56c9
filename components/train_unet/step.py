"""The step: from images and masks to a segmenter's bundle."""

from pathlib import Path

from components.bundle import PARENT, is_whole
from components.lesions import Task
from components.params import TrainUnetParams
from components.reporter import Reporter
from components.train_unet.losses import MASKS
from components.train_unet.registry import build, load_weights
from components.training.backend import start_afresh
from components.training.checkpoint import Checkpoints, rewind_metrics
from components.training.delivery import count_parameters, deliver
from components.training.feed import open_feed
from components.training.forecast import check_memory
from components.training.loop import Run, fit
from components.training.phase import phase_of
from components.training.sizes import at_size, training_size
from components.training.worst import show_worst


def train(dataset: Path, plan: Path, out: Path, params: TrainUnetParams, reporter: Reporter) -> None:
    """See `components.train_unet.train_unet`."""
    checkpoints = Checkpoints(out)
    if not is_whole(out):
        (name,) = params.models
        feed = open_feed(dataset, plan, Task.SEGMENTATION, params)
        start_afresh(params.seed)
        model = build(name, training_size(feed.size, params), params.dropout)
        parameters = count_parameters(model)
        check_memory(model, feed, params, reporter)
        newest = checkpoints.standing(reporter.message)
        if newest is None:
            load_weights(name, model, params.weights, out / PARENT)
        rewind_metrics(out / "metrics.jsonl", newest.epoch if newest else 0)
        reporter.metrics({"parameters_total": parameters.total, "parameters_trainable": parameters.trainable})
        fit(model, MASKS, feed.train, feed.val, phase_of(params), Run(checkpoints, reporter, params.epochs))
        show_worst(model, MASKS, feed, params.mask_threshold or 0.5, reporter)
        model = at_size(model, feed.size, lambda: build(name, feed.size, params.dropout))
        deliver(model, parameters, feed, params, out, reporter)
    checkpoints.remove()
