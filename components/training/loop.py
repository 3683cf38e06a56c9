"""The training loop.

Plain `tf.function` steps, no `Model.fit`: on a CPU `fit` compiles with XLA, which takes minutes and then runs slower. Three more
things keep tracing a ResNet at seconds: Adam and batch norm as TensorFlow's fused kernels (optimizer.py, batch_norm.py); no graph
rewriting, which costs more than it gains here; and a batch axis of any length, so that an epoch's last, smaller batch needs no
second trace.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol

import numpy as np

from components.augment_balance.reader import Batch
from components.errors import TrainingDiverged
from components.reporter import Reporter
from components.training.averaging import RunningMean
from components.training.backend import keras, ops
from components.training.checkpoint import Checkpoint, Checkpoints, Standing
from components.training.devices import join_all, mean_over_all, on_each, sum_over_all
from components.training.more_epochs import would_more_help
from components.training.objective import Objective, Tensor, Values
from components.training.optimizer import make_optimizer
from components.training.phase import Phase
from components.training.progress import Progress
from components.training.schedule import EarlyStopping, ReduceLROnPlateau
from components.training.sealed import Array

import tensorflow as tf  # isort: skip  # after Keras, whose import sets how TensorFlow runs

tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
# Measured to cost nothing here; it holds on machines with more cores, or a GPU, too.
tf.config.experimental.enable_op_determinism()
# Newer GPUs multiply float32 with ten bits of mantissa unless they are told not to; whoever wants less asks for bfloat16.
tf.config.experimental.enable_tensor_float_32_execution(False)


# (images, targets, weights) → sums over the batch.
Step = Callable[..., tuple[Tensor, ...]]


class Batches(Protocol):
    """Training data: each epoch's batches, the same for the same number."""

    @property
    def steps(self) -> int:
        """Batches in an epoch."""

    def epoch(self, number: int, start: int = 0, size: tuple[int, int] | None = None) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0, from batch `start` on, at a `size` of their own; the last one may be smaller."""


@dataclass(frozen=True)
class Run:
    """What a training writes to.

    Attributes:
        checkpoints: where it goes on from.
        reporter: told of every step and epoch.
        epochs: most epochs over all phases.
        interval: seconds of an epoch after which a checkpoint is written within it; what training comes to does not depend on it.
    """

    checkpoints: Checkpoints
    reporter: Reporter
    epochs: int
    interval: float = 60.0


class Trainer:
    """A model and its two graphs, one that trains and one that judges, each traced once for each size of images.

    Args:
        model: what to train.
        objective: what for.
        phase: how.
        steps: all steps of the phase.

    Attributes:
        objective: what for.
        optimizer: with its state.
        average: the running mean of the weights, where the phase has one.
    """

    def __init__(self, model: keras.Model, objective: Objective, phase: Phase, steps: int) -> None:
        self._model = model
        self.objective = objective
        self._trained = model.trainable_variables
        self.optimizer = make_optimizer(phase, steps, self._trained)
        self.average = RunningMean(model.variables, phase.ema) if phase.ema is not None else None
        self.train_step = _graphs(self._train_step)
        self.judge_step = _graphs(self._judge_step)

    @property
    def learning_rate(self) -> float:
        """The step size now; 0.01 for the float32 that is nearest to it."""
        return float(str(np.float32(self.optimizer.learning_rate)))

    def judge(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Mean loss and score of batches, and the objective's own measures; every name starts with `val_`."""
        mean, measure = Mean(), self.objective.measure
        targets: list[Values] = []
        predictions: list[Values] = []
        for batch in batches:
            *sums, predicted = self.judge_step(batch.images, batch.targets, batch.weights)
            mean = mean.plus(*sums)
            if measure is not None:
                targets.append(batch.targets)
                predictions.append(predicted.numpy())
        more = measure(np.concatenate(targets), np.concatenate(predictions)) if measure is not None else {}
        return {"val_loss": mean.loss, f"val_{self.objective.score_name}": mean.score} | {f"val_{k}": v for k, v in more.items()}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """In here the model's weights are their running mean, where there is one."""
        if self.average is None:
            yield
            return
        self.average.swap()
        try:
            yield
        finally:
            self.average.swap()

    def model_values(self) -> Iterator[Array]:
        """Copies of the values of all the model's variables."""
        return (np.array(variable) for variable in self._model.variables)

    def is_finite(self) -> bool:
        """Whether all the model's variables are numbers: a gradient can be none although its loss is one."""
        return all(bool(np.isfinite(value).all()) for value in self.model_values())

    def checkpoint(self, standing: Standing, best: Iterable[Array]) -> Checkpoint:
        """All that the next step follows from."""
        average = self.average.values() if self.average is not None else ()
        return Checkpoint(standing, self.model_values(), (np.array(value) for value in self.optimizer.variables), average, best)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Set all that a checkpoint holds."""
        self.take(checkpoint.model)
        for variable, value in zip(self.optimizer.variables, checkpoint.optimiser, strict=True):
            variable.assign(value)
        if self.average is not None:
            self.average.restore(checkpoint.average)

    def take(self, values: Iterable[Array]) -> None:
        """Set all the model's variables."""
        for variable, value in zip(self._model.variables, values, strict=True):
            variable.assign(value)

    def _train_step(self, images: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        sums = on_each(self._learn, images, targets, weights)
        if self.average is not None:
            self.average.update(self.optimizer.iterations.value)
        return (*sums, ops.shape(images)[0])

    def _learn(self, images: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        with tf.GradientTape() as tape:
            predictions = self._model(images, training=True)
            losses = self.objective.loss(targets, predictions) * weights
            loss = mean_over_all(losses)
        gradients = sum_over_all(tape.gradient(loss, [variable.value for variable in self._trained]))
        self.optimizer.apply(gradients, self._trained)
        return sum_over_all(ops.sum(losses)), sum_over_all(ops.sum(self.objective.score(targets, predictions)))

    def _judge_step(self, images: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        *sums, predictions = on_each(self._answer, images, targets, weights)
        return (*sums, ops.shape(images)[0], predictions)

    def _answer(self, images: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        predictions = self._model(images, training=False)
        losses = self.objective.loss(targets, predictions) * weights
        sums = ops.sum(losses), ops.sum(self.objective.score(targets, predictions))
        return sum_over_all(sums[0]), sum_over_all(sums[1]), join_all(predictions)


def fit(
    model: keras.Model,
    objective: Objective,
    train: Batches,
    val: Callable[[], Iterable[Batch]],
    phase: Phase,
    run: Run,
    begun: int = 0,
) -> int:
    """Train a model through a phase, from its newest checkpoint where there is one, and leave it with the weights that are kept.

    Killed at any moment and started again it comes to the same weights, to the bit, as without the break.

    Args:
        model: what to train; where the phase has sizes of its own, one that sees images of any size.
        objective: what for.
        train: training data; epochs are numbered through all phases.
        val: gives the batches of val, anew each time. Its loss decides, as the phase says, the learning rate, when to stop, and
            which epoch is kept; it is that of the running mean of the weights, where there is one. Of a phase with sizes of its
            own, when to stop and what is kept are decided after them.
        phase: for how long, and how fast.
        run: what to write to.
        begun: epochs that earlier phases took.

    Returns:
        Epochs done, with those of earlier phases.

    Raises:
        TrainingDiverged: the loss is no number any more; no checkpoint holds such weights.
        StoreError: a checkpoint cannot be written; the ones before it are whole.
    """
    trainer = Trainer(model, objective, phase, phase.epochs * train.steps)
    standing, best = _resume(trainer, phase, run, begun)
    progress = Progress(run.reporter, phase, train.steps, run.epochs, objective.headline)
    while standing.epoch < standing.begun + phase.epochs and not standing.stopping.stopped:
        if phase.schedule == "plateau":
            trainer.optimizer.learning_rate = standing.rate.rate
        figures = _train_epoch(trainer, train, standing, best, phase, objective, run, progress)
        with trainer.averaged():
            figures |= trainer.judge(val())
            _refuse_divergence("val_loss", figures["val_loss"], standing.epoch, trainer)
            values = list(trainer.model_values())
        run.reporter.metrics(figures, epoch=standing.epoch)
        standing = _after(standing, figures, phase, objective)
        if phase.keep == "last" or standing.stopping.waited == 0:
            best = values
        run.checkpoints.save(trainer.checkpoint(standing, best))
    trainer.take(best)
    run.reporter.message(would_more_help(standing.history, phase, objective.headline, stopped=standing.stopping.stopped))
    return standing.epoch


def predictor(model: keras.Model) -> Callable[[Values], Values]:
    """A function from a batch of inputs to the model's outputs in inference mode, float32, traced once for each size of image.

    A model that takes any size cannot be traced for all of them at once: Keras resizes no image whose size it does not know.
    """

    @cache
    def graph(size: tuple[int, ...]) -> Any:
        signature = [tf.TensorSpec((None, *size), tf.float32)]
        return tf.function(
            lambda images: ops.cast(model(images, training=False), "float32"), input_signature=signature, autograph=False
        )

    def predict(images: Values) -> Values:
        answer: Values = graph(images.shape[1:])(images).numpy()
        return answer

    return predict


@dataclass(frozen=True)
class Mean:
    """Sums over the batches so far; means over their images."""

    loss_sum: float = 0.0
    score_sum: float = 0.0
    images: int = 0

    def plus(self, loss: Any, score: Any, images: Any) -> "Mean":
        """With one batch more."""
        return Mean(self.loss_sum + float(loss), self.score_sum + float(score), self.images + int(images))

    @property
    def loss(self) -> float:
        """Mean loss of an image."""
        return self.loss_sum / self.images

    @property
    def score(self) -> float:
        """Mean score of an image."""
        return self.score_sum / self.images


def _graphs(step: Step) -> Step:
    """A step as graphs, one for each height and width, for batches of any length; not all layers can be traced for any size."""

    @cache
    def graph(shapes: tuple[tuple[int, ...], ...]) -> Step:
        signature = [tf.TensorSpec((None, *shape), tf.float32) for shape in shapes]
        traced: Step = tf.function(step, input_signature=signature, autograph=False)
        return traced

    def run(*batch: Any) -> tuple[Tensor, ...]:
        return graph(tuple(tuple(values.shape[1:]) for values in batch))(*batch)

    return run


def _train_epoch(
    trainer: Trainer,
    train: Batches,
    standing: Standing,
    best: Sequence[Array],
    phase: Phase,
    objective: Objective,
    run: Run,
    progress: Progress,
) -> dict[str, float]:
    """Train on what is left of an epoch; gives the whole epoch's figures."""
    mean = Mean(*standing.sums)
    start = saved = time.perf_counter()
    seen = mean.images
    progress.start_epoch()
    batches = train.epoch(standing.epoch, standing.step, phase.size(standing.epoch - standing.begun))
    for done, batch in enumerate(batches, standing.step + 1):
        mean = mean.plus(*trainer.train_step(batch.images, batch.targets, batch.weights))
        _refuse_divergence("loss", mean.loss, standing.epoch, trainer)
        progress.step(standing, done, len(batch.images), mean.loss)
        if done < train.steps and time.perf_counter() - saved >= run.interval:
            _refuse_divergence("a weight", 0.0 if trainer.is_finite() else math.nan, standing.epoch, trainer)
            here = replace(standing, step=done, sums=(mean.loss_sum, mean.score_sum, mean.images))
            run.checkpoints.save(trainer.checkpoint(here, best))
            saved = time.perf_counter()
    rate = (mean.images - seen) / (time.perf_counter() - start)
    return {"loss": mean.loss, objective.score_name: mean.score, "images_per_second": rate, "learning_rate": trainer.learning_rate}


def _resume(trainer: Trainer, phase: Phase, run: Run, begun: int) -> tuple[Standing, list[Array]]:
    """How far the phase is, and the weights that it would leave if it ended here."""
    checkpoint = run.checkpoints.newest(run.reporter.message)
    if checkpoint is None or checkpoint.standing.phase != phase.name:
        rate = ReduceLROnPlateau(phase.learning_rate, phase.reduce_factor, phase.reduce_patience)
        return Standing(phase.name, begun, begun, 0, (0.0, 0.0, 0), rate, EarlyStopping(phase.stop_patience), {}), []
    trainer.restore(checkpoint)
    return checkpoint.standing, list(checkpoint.best)


def _after(standing: Standing, figures: dict[str, float], phase: Phase, objective: Objective) -> Standing:
    loss = figures["val_loss"]
    # No model is delivered that has not been trained on images of its own size: epochs on others neither stop it nor are kept.
    is_own_size = phase.size(standing.epoch - standing.begun) is None
    return replace(
        standing,
        epoch=standing.epoch + 1,
        step=0,
        sums=(0.0, 0.0, 0),
        rate=standing.rate.observe(loss),
        stopping=standing.stopping.observe(loss) if is_own_size else standing.stopping,
        figures={name: value for name, value in figures.items() if name.startswith("val_")},
        history=(*standing.history, (figures["loss"], loss, figures[objective.headline])),
    )


def _refuse_divergence(name: str, loss: float, epoch: int, trainer: Trainer) -> None:
    if not math.isfinite(loss):
        raise TrainingDiverged(
            f"{name} is {loss} in epoch {epoch + 1}: training diverged at the learning rate {trainer.learning_rate:g}; lower it"
        )
