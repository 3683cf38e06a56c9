"""Keras's batch normalisation, by TensorFlow's fused kernel.

Keras spells it out as some fifteen operations, forwards and back; each of them reads and writes a whole feature map. As one
kernel (oneDNN's on a CPU, cuDNN's on a GPU) a training step of EfficientNet-Lite0 is 1.4 times as fast, and is traced sooner.
"""

from typing import Any

from components.training.backend import keras, layers, ops
from components.training.devices import replicas, sum_over_all

import tensorflow as tf  # isort: skip  # after Keras, whose import sets how TensorFlow runs

# PyTorch's choice; with Keras's 0.99 a short training ends before the running averages arrive.
_MOMENTUM = 0.9


class BatchNormalization(layers.BatchNormalization):  # type: ignore[misc]  # Keras carries no types
    """Batch normalisation (Ioffe and Szegedy 2015) over the last axis of N x H x W x C.

    As Keras's own, but that the moving variance averages the unbiased variance of each batch, as PyTorch's does. Where a batch is
    split over several devices its moments are those of all parts, spelled out: the kernel knows one device only.
    """

    def __init__(self, momentum: float = _MOMENTUM, **config: Any) -> None:
        super().__init__(momentum=momentum, **config)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise by the batch where it trains, else by the moving averages."""
        learns = bool(training and self.trainable)
        if learns and replicas() > 1:
            return self._over_all_devices(inputs)
        statistics = {} if learns else {"mean": self.moving_mean.value, "variance": self.moving_variance.value}
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=learns, **statistics
        )
        if learns:
            self._remember(mean, variance)
        return outputs

    def _over_all_devices(self, inputs: Any) -> Any:
        pixels = ops.cast(inputs, "float32")
        mean, variance = ops.moments(pixels, (0, 1, 2), synchronized=True)
        count = ops.cast(sum_over_all(tf.size(pixels) // tf.shape(pixels)[-1]), "float32")
        self._remember(mean, variance * count / ops.maximum(count - 1, 1))
        outputs = tf.nn.batch_normalization(pixels, mean, variance, self.beta.value, self.gamma.value, self.epsilon)
        return ops.cast(outputs, inputs.dtype)

    def _remember(self, mean: Any, variance: Any) -> None:
        for average, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + now * (1 - self.momentum))


def fuse(model: keras.Model) -> keras.Model:
    """The same model, same weights, with each of Keras's own batch normalisations replaced."""

    def replaced(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if type(layer) is layers.BatchNormalization:
            return BatchNormalization.from_config(config | {"momentum": _MOMENTUM})
        return layer.__class__.from_config(config)

    fused = keras.models.clone_model(model, clone_function=replaced)
    fused.set_weights(model.get_weights())
    return fused
