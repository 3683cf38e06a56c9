"""Keras's Adam and AdamW, with TensorFlow's fused kernel where Keras spells the update out.

One operation a variable instead of some fifteen: a ResNet of hundreds of variables is traced in seconds.
"""

from collections.abc import Sequence
from typing import Any

from components.training.backend import keras
from components.training.phase import Phase

import tensorflow as tf  # isort: skip  # after Keras, whose import sets how TensorFlow runs


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras carries no types
    """Adam (Kingma and Ba 2015); with `weight_decay` AdamW (Loshchilov and Hutter 2019). Arguments as of Keras's."""

    def _backend_update_step(self, gradients: Any, variables: Any, learning_rate: Any) -> None:
        # Once a step, not once a variable.
        step = tf.cast(self.iterations + 1, tf.float32)
        self._powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        super()._backend_update_step(gradients, variables, learning_rate)

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        # The loop has summed them over the devices already: clipping must see the gradient of the whole batch.
        return grads_and_vars

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one variable."""
        place = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=self._powers[0],
            beta2_power=self._powers[1],
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def make_optimizer(phase: Phase, steps: int, trained: Sequence[Any]) -> FusedAdam:
    """The optimizer of a phase, with its learning rate as the phase begins.

    Args:
        phase: how the model is trained.
        steps: all steps of the phase.
        trained: the Keras variables that it changes. Kernels alone are decayed, neither biases nor batch norm's scales.
    """
    optimizer = FusedAdam(_rate(phase, steps), weight_decay=phase.weight_decay or None, global_clipnorm=phase.clip_norm)
    if phase.weight_decay:
        optimizer.exclude_from_weight_decay(var_list=[variable for variable in trained if len(variable.shape) < 2])
    optimizer.build(trained)
    return optimizer


def _rate(phase: Phase, steps: int) -> Any:
    """The learning rate, or its schedule by the optimizer's own count of steps."""
    if phase.schedule == "plateau":
        return phase.learning_rate
    rise = min(round(phase.warmup * steps), steps - 1)  # the last step is left for the way down
    if rise == 0:
        return keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(0.0, steps - rise, warmup_target=phase.learning_rate, warmup_steps=rise)
