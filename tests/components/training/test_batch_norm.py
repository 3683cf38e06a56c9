"""Batch norm by the fused kernel, against Keras's own."""

import numpy as np

from components.training.backend import keras, layers
from components.training.batch_norm import BatchNormalization, fuse


def test_it_answers_as_keras_does_and_remembers_the_unbiased_variance() -> None:
    images = np.random.default_rng(0).normal(3, 2, (4, 5, 6, 3)).astype(np.float32)
    ours, theirs = BatchNormalization(), layers.BatchNormalization(momentum=0.9)
    for training in (True, False):
        answers = [np.array(layer(images, training=training)) for layer in (ours, theirs)]
        # Of 80 pixels: the unbiased variance is 1.27 % larger, of which a tenth went into the moving one.
        np.testing.assert_allclose(*answers, rtol=1e-2 if not training else 1e-3, atol=1e-4)
    np.testing.assert_allclose(np.array(ours.moving_mean), 0.1 * images.mean(axis=(0, 1, 2)), rtol=1e-4)
    unbiased = images.reshape(-1, 3).var(axis=0, ddof=1)
    np.testing.assert_allclose(np.array(ours.moving_variance), 0.9 + 0.1 * unbiased, rtol=1e-4)


def test_frozen_it_learns_nothing() -> None:
    layer = BatchNormalization(trainable=False)
    images = np.random.default_rng(0).normal(3, 2, (4, 5, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(np.array(layer(images, training=True)), images, rtol=1e-2)
    assert np.array(layer.moving_mean).tolist() == [0, 0, 0]


def test_a_fused_network_answers_as_it_did() -> None:
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, layers.BatchNormalization(name="b")(layers.Conv2D(4, 3, name="c")(image)))
    network.set_weights([np.random.default_rng(n).random(value.shape, np.float32) for n, value in enumerate(network.get_weights())])
    fused = fuse(network)
    images = np.random.default_rng(9).random((2, 8, 8, 3), np.float32)
    np.testing.assert_allclose(np.array(fused(images)), np.array(network(images)), rtol=1e-4)
    assert isinstance(fused.get_layer("b"), BatchNormalization)
    assert fused.get_layer("b").momentum == 0.9
