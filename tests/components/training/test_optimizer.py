"""The fused optimizer takes the steps that Keras's own take."""

from typing import Any

import numpy as np
import pytest

from components.training.backend import keras
from components.training.optimizer import make_optimizer
from components.training.phase import phase_of
from tests.trainings import classifier_params

SCHEDULES = {
    "plateau": lambda: 0.01,
    "cosine": lambda: keras.optimizers.schedules.CosineDecay(0.0, 8, warmup_target=0.01, warmup_steps=2),
}


@pytest.mark.parametrize("schedule", list(SCHEDULES))
@pytest.mark.parametrize("recipe", [{}, {"weight_decay": 0.1, "clip_norm": 1.0}])
def test_it_takes_the_steps_that_keras_takes(schedule: str, recipe: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)]
    theirs, ours = ([keras.Variable(value) for value in start] for _ in range(2))
    keras_adam = keras.optimizers.Adam(
        SCHEDULES[schedule](), weight_decay=recipe.get("weight_decay"), global_clipnorm=recipe.get("clip_norm")
    )
    keras_adam.exclude_from_weight_decay(var_list=[theirs[1]])
    params = classifier_params(learning_rate=0.01, schedule=schedule, warmup=0.2, **recipe)
    adam = make_optimizer(phase_of(params), 10, ours)
    for _ in range(10):
        gradients = [keras.ops.convert_to_tensor(rng.normal(size=value.shape).astype(np.float32)) for value in start]
        keras_adam.apply(gradients, theirs)
        adam.apply(gradients, ours)
    for mine, other, begun in zip(ours, theirs, start, strict=True):
        np.testing.assert_allclose(np.array(mine), np.array(other), rtol=1e-5)
        assert not np.allclose(np.array(mine), begun)


@pytest.mark.parametrize(
    ("steps", "warmup", "rates"), [(1, 0.9, [0.01]), (2, 0.9, [0, 0.01]), (5, 0.95, [0, 0.0025, 0.005, 0.0075, 0.01])]
)
def test_however_long_the_warm_up_a_step_is_left(steps: int, warmup: float, rates: list[float]) -> None:
    weight = keras.Variable(np.ones(3, np.float32))
    phase = phase_of(classifier_params(learning_rate=0.01, schedule="cosine", warmup=warmup))
    adam = make_optimizer(phase, steps, [weight])
    taken = []
    for _ in range(steps):
        taken.append(float(adam.learning_rate))
        adam.apply([keras.ops.ones(3)], [weight])
    assert taken == pytest.approx(rates)
