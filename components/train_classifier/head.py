"""The report's head, the same on every backbone: Dense 512 ReLU, dropout, Dense 8 softmax."""

from dataclasses import dataclass

from components.lesions import CODES
from components.training.backend import keras, layers


@dataclass(frozen=True)
class Classifier:
    """A classifier and its two parts, which share its layers.

    Attributes:
        model: image → probabilities, N x 8.
        backbone: image → features, N x F.
        head: features → probabilities.
    """

    model: keras.Model
    backbone: keras.Model
    head: keras.Model


def attach_head(backbone: keras.Model, dropout: float) -> Classifier:
    """Put the head on a backbone that gives one vector of features an image.

    Args:
        backbone: N x H x W x 3, float32, RGB, 0 to 1 → N x F.
        dropout: share of the head's activations dropped, 0 to 1.
    """
    parts = [
        layers.Dense(512, activation="relu"),
        layers.Dropout(dropout),
        layers.Dense(len(CODES), activation="softmax", name="probabilities"),
    ]
    features = keras.Input(backbone.output_shape[1:], name="features")
    whole, alone = backbone.output, features
    for part in parts:
        whole, alone = part(whole), part(alone)
    return Classifier(keras.Model(backbone.input, whole), backbone, keras.Model(features, alone))
