"""The step: from images and labels to a classifier's bundle, in two phases."""

from pathlib import Path

from components.bundle import is_whole
from components.lesions import Task
from components.params import TrainClassifierParams
from components.reporter import Reporter
from components.train_classifier.features import FeatureBatches, compute_features
from components.train_classifier.head import Classifier
from components.train_classifier.objective import diagnoses_objective
from components.train_classifier.registry import build, load_weights
from components.training.backend import start_afresh
from components.training.checkpoint import Checkpoints, Standing, rewind_metrics
from components.training.delivery import Parameters, count_parameters, deliver
from components.training.feed import Feed, open_feed
from components.training.loop import Phase, Run, fit, predictor
from components.training.objective import Objective

_FROZEN = "frozen backbone"
_WHOLE = "all layers"


def train(dataset: Path, plan: Path, out: Path, params: TrainClassifierParams, reporter: Reporter) -> None:
    """See `components.train_classifier.train_classifier`."""
    checkpoints = Checkpoints(out)
    if not is_whole(out):
        feed = open_feed(dataset, plan, Task.CLASSIFICATION, params)
        newest = checkpoints.standing(reporter.message)
        classifier = _start(feed, params, newest)
        parameters = _count(classifier, params)
        rewind_metrics(out / "metrics.jsonl", newest.epoch if newest else 0)
        reporter.metrics({"parameters_total": parameters.total, "parameters_trainable": parameters.trainable})
        _train_phases(classifier, feed, params, Run(checkpoints, reporter, params.frozen_epochs + params.epochs), newest)
        deliver(classifier.model, parameters, feed, params, out, reporter)
    checkpoints.remove()


def _start(feed: Feed, params: TrainClassifierParams, newest: Standing | None) -> Classifier:
    (name,) = params.models
    start_afresh(params.seed)
    classifier = build(name, feed.size, params.dropout)
    # A checkpoint of phase 2 holds the backbone; one of phase 1 the head alone.
    if newest is None or newest.phase == _FROZEN:
        load_weights(name, classifier, params.weights)
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
        phase = _phase(_WHOLE, params.epochs, params.learning_rate, params)
        fit(classifier.model, _objective(feed, params), feed.train, feed.val, phase, run, begun)


def _train_head(classifier: Classifier, feed: Feed, params: TrainClassifierParams, run: Run) -> int:
    """Phase 1; returns the epochs that it took."""
    backbone, folder = predictor(classifier.backbone), run.checkpoints.folder / "features"

    def tell(done: int) -> None:
        run.reporter.progress(done, feed.train.steps, "batches through the frozen backbone")

    train = compute_features(feed.train.epoch(0), backbone, folder, "train", tell)
    val = compute_features(feed.val(), backbone, folder, "val", lambda done: None)
    batches, judged = (FeatureBatches(samples, params.batch_size, params.seed) for samples in (train, val))
    phase = _phase(_FROZEN, params.frozen_epochs, params.frozen_learning_rate, params)
    return fit(classifier.head, _objective(feed, params), batches, judged.in_order, phase, run)


def _objective(feed: Feed, params: TrainClassifierParams) -> Objective:
    assert feed.plan.classification is not None
    return diagnoses_objective(params, feed.plan.classification)


def _phase(name: str, epochs: int, learning_rate: float, params: TrainClassifierParams) -> Phase:
    return Phase(name, epochs, learning_rate, params.reduce_factor, params.reduce_patience, params.stop_patience)
