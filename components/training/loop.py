"""The training loop, the only file that knows TensorFlow.

Plain `tf.function` steps, no `Model.fit`: on a CPU `fit` compiles with XLA, which takes minutes and then runs slower. Three more
things keep tracing a ResNet at seconds (ResNet152: from 40 to about 15, ResNet50: from 13 to 6): Adam as TensorFlow's fused kernel,
one operation a variable where Keras's own takes some fifteen; no graph rewriting, which costs more than it gains here; and a batch
axis of any length, so that an epoch's last, smaller batch needs no second trace.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from components.augment_balance.reader import Batch
from components.errors import TrainingDiverged
from components.reporter import Reporter
from components.training.backend import keras, ops
from components.training.checkpoint import Array, Checkpoint, Checkpoints, Standing
from components.training.objective import Objective, Tensor, Values
from components.training.schedule import EarlyStopping, ReduceLROnPlateau

import tensorflow as tf  # isort: skip  # after Keras, whose import sets how TensorFlow runs

tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
# Measured to cost nothing here; it holds on machines with more cores, or a GPU, too.
tf.config.experimental.enable_op_determinism()


class Batches(Protocol):
    """Training data: each epoch's batches, the same for the same number."""

    @property
    def steps(self) -> int:
        """Batches in an epoch."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0; the last one may be smaller."""


@dataclass(frozen=True)
class Phase:
    """How a model is trained, or a part of it.

    Attributes:
        name: of the phase; it stands before the progress, unless it is empty.
        epochs: most epochs.
        learning_rate: Adam's step size at its start.
        reduce_factor: new rate / old rate on a plateau.
        reduce_patience: epochs without gain before the rate falls.
        stop_patience: epochs without gain before the phase stops.
    """

    name: str
    epochs: int
    learning_rate: float
    reduce_factor: float
    reduce_patience: int
    stop_patience: int


@dataclass(frozen=True)
class Run:
    """What a training writes to.

    Attributes:
        checkpoints: where it goes on from.
        reporter: told of every step and epoch.
        epochs: most epochs over all phases.
    """

    checkpoints: Checkpoints
    reporter: Reporter
    epochs: int


class Adam:
    """Adam (Kingma and Ba 2015) with Keras's defaults, by TensorFlow's fused kernel.

    Attributes:
        rate: the step size; it may be assigned.
    """

    def __init__(self, trained: Sequence[tf.Variable]) -> None:
        self.rate = tf.Variable(0.0)
        self._trained = trained
        self._steps = tf.Variable(0.0)
        self._means = [tf.Variable(tf.zeros_like(variable)) for variable in trained]
        self._squares = [tf.Variable(tf.zeros_like(variable)) for variable in trained]
        self._memory = [self._steps, *self._means, *self._squares]

    def apply(self, gradients: Sequence[Tensor]) -> None:
        """Take one step."""
        self._steps.assign_add(1.0)
        powers = {"beta1_power": tf.pow(0.9, self._steps), "beta2_power": tf.pow(0.999, self._steps)}
        constants = {"lr": self.rate, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}
        for variable, mean, square, gradient in zip(self._trained, self._means, self._squares, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(var=variable.handle, m=mean.handle, v=square.handle, grad=gradient, **powers, **constants)

    def values(self) -> Iterator[Array]:
        """All that it remembers."""
        return (variable.numpy() for variable in self._memory)

    def restore(self, values: Iterable[Array]) -> None:
        """Set all that it remembers."""
        for variable, value in zip(self._memory, values, strict=True):
            variable.assign(value)


class Trainer:
    """A model and its two graphs, one that trains and one that judges, each traced once."""

    def __init__(self, model: keras.Model, objective: Objective) -> None:
        self._model = model
        self._objective = objective
        self._trained = [variable.value for variable in model.trainable_variables]
        self.adam = Adam(self._trained)
        shapes = (model.input_shape[1:], model.output_shape[1:], ())
        signature = [tf.TensorSpec((None, *shape), tf.float32) for shape in shapes]
        self.train_step = tf.function(self._train_step, input_signature=signature, autograph=False)
        self.judge_step = tf.function(self._judge_step, input_signature=signature, autograph=False)

    def train(self, batches: Iterable[Batch], tell: Callable[[int, float], None]) -> dict[str, float]:
        """Train on each batch once.

        Args:
            batches: an epoch.
            tell: called after each batch with the number of batches done and the mean loss so far.

        Returns:
            Mean loss and score, and images a second.
        """
        start, mean = time.perf_counter(), _Mean()
        for done, batch in enumerate(batches, 1):
            mean.add(*self.train_step(batch.images, batch.targets, batch.weights))
            tell(done, mean.loss)
        rate = mean.images / (time.perf_counter() - start)
        return {"loss": mean.loss, self._objective.score_name: mean.score, "images_per_second": rate}

    def judge(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Mean loss and score of batches, and the objective's own measures; every name starts with `val_`."""
        mean, measure = _Mean(), self._objective.measure
        targets: list[Values] = []
        predictions: list[Values] = []
        for batch in batches:
            *sums, predicted = self.judge_step(batch.images, batch.targets, batch.weights)
            mean.add(*sums)
            if measure is not None:
                targets.append(batch.targets)
                predictions.append(predicted.numpy())
        more = measure(np.concatenate(targets), np.concatenate(predictions)) if measure is not None else {}
        return {"val_loss": mean.loss, f"val_{self._objective.score_name}": mean.score} | {f"val_{k}": v for k, v in more.items()}

    def model_values(self) -> Iterator[Array]:
        """Copies of the values of all the model's variables."""
        return (np.array(variable) for variable in self._model.variables)

    def restore(self, values: Iterable[Array]) -> None:
        """Set all the model's variables."""
        for variable, value in zip(self._model.variables, values, strict=True):
            variable.assign(value)

    def _train_step(self, images: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        with tf.GradientTape() as tape:
            predictions = self._model(images, training=True)
            losses = self._objective.loss(targets, predictions) * weights
            loss = ops.mean(losses)
        self.adam.apply(tape.gradient(loss, self._trained))
        return ops.sum(losses), ops.sum(self._objective.score(targets, predictions)), ops.shape(images)[0]

    def _judge_step(self, images: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        predictions = self._model(images, training=False)
        losses = self._objective.loss(targets, predictions) * weights
        return ops.sum(losses), ops.sum(self._objective.score(targets, predictions)), ops.shape(images)[0], predictions


def fit(
    model: keras.Model,
    objective: Objective,
    train: Batches,
    val: Callable[[], Iterable[Batch]],
    phase: Phase,
    run: Run,
    begun: int = 0,
) -> int:
    """Train a model through a phase, from its newest checkpoint where there is one, and leave it with its best epoch's weights.

    Killed at any moment and started again it comes to the same weights, to the bit, as without the break.

    Args:
        model: what to train.
        objective: what for.
        train: training data; epochs are numbered through all phases.
        val: gives the batches of val, anew each time. Its loss decides the learning rate, when to stop, and which epoch is best.
        phase: for how long, and how fast.
        run: what to write to.
        begun: epochs that earlier phases took.

    Returns:
        Epochs done, with those of earlier phases.

    Raises:
        TrainingDiverged: the loss is no number any more.
    """
    trainer = Trainer(model, objective)
    standing, best = _resume(trainer, phase, run, begun)
    while standing.epoch < standing.begun + phase.epochs and not standing.stopping.stopped:
        trainer.adam.rate.assign(standing.rate.rate)
        figures = trainer.train(train.epoch(standing.epoch), _teller(standing, train.steps, phase, objective, run))
        figures |= trainer.judge(val())
        _refuse_divergence(figures, standing)
        run.reporter.metrics(figures | {"learning_rate": standing.rate.rate}, epoch=standing.epoch)
        standing = _after(standing, figures)
        is_best = standing.stopping.waited == 0
        run.checkpoints.save(Checkpoint(standing, trainer.model_values(), trainer.adam.values(), () if is_best else best))
        if is_best:
            best.clear()
            best.extend(trainer.model_values())
    trainer.restore(best)
    return standing.epoch


def predictor(model: keras.Model) -> Callable[[Values], Values]:
    """A function from a batch of inputs to the model's outputs in inference mode, traced once."""
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)]
    graph = tf.function(lambda images: model(images, training=False), input_signature=signature, autograph=False)

    def predict(images: Values) -> Values:
        answer: Values = graph(images).numpy()
        return answer

    return predict


class _Mean:
    """Sums over batches; means over images."""

    def __init__(self) -> None:
        self._loss = self._score = 0.0
        self.images = 0

    def add(self, loss: Any, score: Any, images: Any) -> None:
        self._loss += float(loss)
        self._score += float(score)
        self.images += int(images)

    @property
    def loss(self) -> float:
        return self._loss / self.images

    @property
    def score(self) -> float:
        return self._score / self.images


def _resume(trainer: Trainer, phase: Phase, run: Run, begun: int) -> tuple[Standing, list[Array]]:
    """How far the phase is, and the weights of its best epoch."""
    checkpoint = run.checkpoints.newest(run.reporter.message)
    if checkpoint is None or checkpoint.standing.phase != phase.name:
        rate = ReduceLROnPlateau(phase.learning_rate, phase.reduce_factor, phase.reduce_patience)
        return Standing(phase.name, begun, begun, rate, EarlyStopping(phase.stop_patience), {}), []
    trainer.restore(checkpoint.model)
    trainer.adam.restore(checkpoint.optimiser)
    return checkpoint.standing, list(checkpoint.best) or list(trainer.model_values())


def _after(standing: Standing, figures: dict[str, float]) -> Standing:
    loss = figures["val_loss"]
    return replace(
        standing,
        epoch=standing.epoch + 1,
        rate=standing.rate.observe(loss),
        stopping=standing.stopping.observe(loss),
        figures={name: value for name, value in figures.items() if name.startswith("val_")},
    )


def _teller(standing: Standing, steps: int, phase: Phase, objective: Objective, run: Run) -> Callable[[int, float], None]:
    epoch = f"{phase.name + ': ' if phase.name else ''}epoch {standing.epoch - standing.begun + 1}/{phase.epochs}"
    headline = objective.headline
    val = f", {headline.replace('_', ' ').replace('f1', 'F1')} {standing.figures[headline]:.2f}" if standing.figures else ""

    def tell(done: int, loss: float) -> None:
        run.reporter.progress(standing.epoch * steps + done, run.epochs * steps, f"{epoch}, loss {loss:.2f}{val}")

    return tell


def _refuse_divergence(figures: dict[str, float], standing: Standing) -> None:
    for name in ("loss", "val_loss"):
        if not math.isfinite(figures[name]):
            raise TrainingDiverged(
                f"{name} is {figures[name]} after epoch {standing.epoch + 1}: training diverged at the learning rate "
                f"{standing.rate.rate:g}; lower it"
            )
