"""What makes a classifier of a backbone: its head."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from components.lesions import CODES
from components.training.backend import keras, layers

# Maps of attention, and what their sum counts at the start (Datta 2021).
_MAPS, _GAMMA = 16, 0.01

_Part = Callable[[Any], Any]


@dataclass(frozen=True)
class Classifier:
    """A classifier and its two parts, which share its layers.

    Attributes:
        model: image → probabilities, N x 8.
        backbone: image → features, N x F, or N x h x w x F where the head looks at places.
        head: features → probabilities.
    """

    model: keras.Model
    backbone: keras.Model
    head: keras.Model


def report_head(dropout: float) -> list[_Part]:
    """The report's (chapter 4): Dense 512 ReLU, dropout, Dense 8 softmax. On features N x F."""
    return [layers.Dense(512, activation="relu"), *published_head(dropout)]


def published_head(dropout: float) -> list[_Part]:
    """The one that EfficientNet was published with (Tan and Le 2019): dropout and one dense layer. On features N x F."""
    return [layers.Dropout(dropout), layers.Dense(len(CODES), activation="softmax", name="probabilities", dtype="float32")]


def soft_attention_head(dropout: float) -> list[_Part]:
    """Soft attention (Datta 2021; on a ResNet101 Abuhammad 2025), the mean over the places, the report's head.

    On feature maps N x h x w x F. A convolution draws 16 maps, each a softmax over the places; their sum, weighed by what Datta
    calls gamma, scales the features, which go on beside the unscaled ones, N x h x w x 2F. Gamma is a number a map here, and
    one for all maps there.
    """
    draw = layers.Conv2D(_MAPS, 3, padding="same", activation="relu", kernel_initializer="he_uniform", name="attention_maps")
    softmax = layers.Softmax(axis=(1, 2), name="attention")
    start = keras.initializers.Constant(_GAMMA)
    weigh = layers.Conv2D(1, 1, use_bias=False, kernel_initializer=start, name="attention_gamma")
    scale, join = layers.Multiply(name="attended"), layers.Concatenate(name="attended_beside_features")

    def attend(features: Any) -> Any:
        return join([features, scale([features, weigh(softmax(draw(features)))])])

    return [attend, layers.ReLU(), layers.GlobalAveragePooling2D(), *report_head(dropout)]


def attach_head(backbone: keras.Model, parts: list[_Part]) -> Classifier:
    """Put a head on a backbone.

    Args:
        backbone: N x H x W x 3, float32, RGB, 0 to 1 → features.
        parts: the head's, in their order; each is called twice and must use the same layers both times.
    """
    features = keras.Input(backbone.output_shape[1:], name="features")
    whole, alone = backbone.output, features
    for part in parts:
        whole, alone = part(whole), part(alone)
    return Classifier(keras.Model(backbone.input, whole), backbone, keras.Model(features, alone))
