"""The step: from images and labels to a classifier's bundle, in two phases."""

from pathlib import Path

from components.augment_balance.plan import read_plan
from components.bundle import PARENT, is_whole
from components.dataset import Dataset
from components.lesions import Task
from components.params import TrainClassifierParams
from components.reporter import Reporter
from components.train_classifier.features import FeatureBatches, compute_features
from components.train_classifier.head import Classifier
from components.train_classifier.objective import DIAGNOSES, diagnoses_objective
from components.train_classifier.registry import build, check_sizes, load_weights, precision_here
from components.training.backend import keras
from components.training.checkpoint import Standing
from components.training.delivery import deliver
from components.training.devices import enough_memory, set_precision, start_afresh, tell_devices
from components.training.ensemble import refuse_too_many
from components.training.feed import Feed
from components.training.folds import plan_members
from components.training.forecast import check_memory
from components.training.loop import Run, fit, predictor
from components.training.members import Learning, Parameters, count_parameters, remove_members, train_members
from components.training.objective import Objective
from components.training.parent import place_in_folder
from components.training.phase import frozen_phase_of, phase_of
from components.training.sizes import as_used, training_size
from components.training.worst import show_worst

_FROZEN = "frozen backbone"
_WHOLE = "all layers"


def train(dataset: Path, plan: Path, out: Path, params: TrainClassifierParams, reporter: Reporter) -> None:
    """See `components.train_classifier.train_classifier`."""
    learn(Learning(Dataset(dataset), read_plan(plan), Task.CLASSIFICATION, params), out, reporter)


def learn(learning: Learning[TrainClassifierParams], out: Path, reporter: Reporter) -> None:
    """The same from a dataset and a plan that are read already."""
    if not is_whole(out):
        check_sizes(learning.params, learning.dataset.preprocessing)
        tell_devices(precision_here(learning.params), reporter)
        epochs = learning.params.frozen_epochs + learning.params.epochs
        deliver(learning, train_members(learning, _train_member, epochs, out, reporter), out, reporter)
    remove_members(out)


@enough_memory()
def _train_member(feed: Feed, params: TrainClassifierParams, run: Run, newest: Standing | None) -> tuple[keras.Model, Parameters]:
    """Train one classifier; see `train_members`."""
    classifier = _start(feed, params, newest, run.reporter.out / PARENT)
    parameters = _count(classifier, params)
    check_memory(classifier.model, feed, params, run.reporter, classifier.backbone)
    run.reporter.metrics({"parameters_total": parameters.total, "parameters_trainable": parameters.trainable})
    _train_phases(classifier, feed, params, run, newest)
    show_worst(classifier.model, DIAGNOSES, feed, 0.5, run.reporter)
    return as_used(classifier.model, feed.size, lambda: build(params.models[0], feed.size, params.dropout).model), parameters


def _start(feed: Feed, params: TrainClassifierParams, newest: Standing | None, parent: Path) -> Classifier:
    (name,) = params.models
    start_afresh(params.seed)
    set_precision(precision_here(params))
    classifier = build(name, training_size(feed.size, params), params.dropout)
    refuse_too_many(classifier.model.count_params(), len(plan_members(params)))
    # A checkpoint of phase 2 holds the backbone; one of phase 1 the head alone.
    if newest is None or newest.phase == _FROZEN:
        load_weights(name, classifier, params.weights, parent, place_in_folder(parent, params, feed.member))
    return classifier


def _count(classifier: Classifier, params: TrainClassifierParams) -> Parameters:
    """Parameters of the model, those as trainable that its last phase trains."""
    classifier.backbone.trainable = params.epochs > 0
    return count_parameters(classifier.model)


def _train_phases(classifier: Classifier, feed: Feed, params: TrainClassifierParams, run: Run, newest: Standing | None) -> None:
    begun = 0
    if params.frozen_epochs and (newest is None or newest.phase == _FROZEN):
        begun = _train_head(classifier, feed, params, run)
    if params.epochs:
        phase = phase_of(params, _WHOLE, feed.size)
        fit(classifier.model, _objective(feed, params), feed.train, feed.val, phase, run, begun)


def _train_head(classifier: Classifier, feed: Feed, params: TrainClassifierParams, run: Run) -> int:
    """Phase 1; returns the epochs that it took."""
    backbone, folder = predictor(classifier.backbone), run.checkpoints.folder / "features"

    def tell(done: int) -> None:
        run.reporter.progress(done, feed.train.steps, "batches through the frozen backbone")

    train = compute_features(lambda start: feed.train.epoch(0, start), backbone, folder, "train", tell)
    val = compute_features(feed.val, backbone, folder, "val", lambda done: None)
    batches, judged = (FeatureBatches(samples, params.batch_size, params.seed) for samples in (train, val))
    phase = frozen_phase_of(params, _FROZEN)
    return fit(classifier.head, _objective(feed, params), batches, judged.in_order, phase, run)


def _objective(feed: Feed, params: TrainClassifierParams) -> Objective:
    assert feed.plan.classification is not None
    return diagnoses_objective(params, feed.plan.classification)
