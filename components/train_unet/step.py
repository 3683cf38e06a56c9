"""The step: from images and masks to a segmenter's bundle."""

from pathlib import Path

from components.augment_balance.plan import read_plan
from components.bundle import PARENT, is_whole
from components.dataset import Dataset
from components.lesions import Task
from components.params import TrainUnetParams
from components.reporter import Reporter
from components.train_unet.losses import MASKS
from components.train_unet.registry import build, check_sizes, load_weights, precision_here
from components.training.backend import keras
from components.training.checkpoint import Standing
from components.training.delivery import deliver
from components.training.devices import enough_memory, set_precision, start_afresh, tell_devices
from components.training.ensemble import refuse_too_many
from components.training.feed import Feed
from components.training.folds import plan_members
from components.training.forecast import check_memory
from components.training.loop import Run, fit
from components.training.members import Learning, Parameters, count_parameters, remove_members, train_members
from components.training.parent import place_in_folder
from components.training.phase import phase_of
from components.training.sizes import as_used, training_size
from components.training.worst import show_worst


def train(dataset: Path, plan: Path, out: Path, params: TrainUnetParams, reporter: Reporter) -> None:
    """See `components.train_unet.train_unet`."""
    if not is_whole(out):
        learning = Learning(Dataset(dataset), read_plan(plan), Task.SEGMENTATION, params)
        check_sizes(params, learning.dataset.preprocessing)
        tell_devices(precision_here(params), reporter)
        deliver(learning, train_members(learning, _train_member, params.epochs, out, reporter), out, reporter)
    remove_members(out)


@enough_memory()
def _train_member(feed: Feed, params: TrainUnetParams, run: Run, newest: Standing | None) -> tuple[keras.Model, Parameters]:
    """Train one segmenter; see `train_members`."""
    (name,) = params.models
    start_afresh(params.seed)
    set_precision(precision_here(params))
    model = build(name, training_size(feed.size, params), params.dropout)
    parameters = count_parameters(model)
    refuse_too_many(parameters.total, len(plan_members(params)))
    check_memory(model, feed, params, run.reporter)
    if newest is None:
        parent = run.reporter.out / PARENT
        load_weights(name, model, params.weights, parent, place_in_folder(parent, params, feed.member))
    run.reporter.metrics({"parameters_total": parameters.total, "parameters_trainable": parameters.trainable})
    fit(model, MASKS, feed.train, feed.val, phase_of(params, size=feed.size), run)
    show_worst(model, MASKS, feed, params.mask_threshold or 0.5, run.reporter)
    return as_used(model, feed.size, lambda: build(name, feed.size, params.dropout)), parameters
