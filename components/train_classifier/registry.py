"""The classifiers by name: a backbone of `components.backbones.registry` and a head of `head`. A new one is a line here."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.backbones import registry as backbones
from components.backbones import weights
from components.errors import ParamsError
from components.params import PreprocessParams, TrainClassifierParams
from components.training.seen_sizes import seen_sizes

if TYPE_CHECKING:
    from components.train_classifier.head import Classifier


@dataclass(frozen=True)
class _Architecture:
    """A classifier.

    Attributes:
        backbone: its name.
        head: name of its head.
        least: least height and width in pixels.
        on_maps: whether the head looks at places.
        gains_on_amx: see `devices.precision_here`.
    """

    backbone: str
    head: str = "report_head"
    least: int = 32
    on_maps: bool = False
    gains_on_amx: bool = False


_ARCHITECTURES = {
    "resnet50": _Architecture("resnet50", gains_on_amx=True),
    "resnet101": _Architecture("resnet101", gains_on_amx=True),
    "resnet152": _Architecture("resnet152", gains_on_amx=True),
    "resnet101_soft_attention": _Architecture("resnet101", "soft_attention_head", on_maps=True, gains_on_amx=True),
    "efficientnet_lite0": _Architecture("efficientnet_lite0", "published_head"),
    "efficientnet_lite1": _Architecture("efficientnet_lite1", "published_head"),
    "efficientnet_lite2": _Architecture("efficientnet_lite2", "published_head"),
    "tiny_cnn": _Architecture("tiny_cnn", least=4),
}


def architectures() -> list[str]:
    """Names that `train_classifier.models` may hold; known without TensorFlow."""
    return list(_ARCHITECTURES)


def check_sizes(params: TrainClassifierParams, preprocess: PreprocessParams) -> None:
    """Refuse sizes of images that a classifier cannot see, before any is trained on.

    Args:
        params: how it is trained; `models` holds its name.
        preprocess: how its images were preprocessed.

    Raises:
        ParamsError: there is no architecture of this name, it cannot see images of one of the sizes, or a stage of `progressive` is
            larger than the model's own size.
    """
    (name,) = params.models
    least = _known(name).least
    for field, (height, width) in seen_sizes(params, preprocess).items():
        if min(height, width) < least:
            raise ParamsError(f"{field} is {height} x {width}, but {name} needs {least} x {least} or more; set it to such a size")


def precision_here(params: TrainClassifierParams) -> str:
    """What a classifier's layers compute in on this machine, `float32` or `bfloat16`; `params.models` holds its name."""
    from components.training import devices

    (name,) = params.models
    return devices.precision_here(params.precision, _known(name).gains_on_amx)


def build(name: str, size: tuple[int, int] | tuple[None, None], dropout: float) -> "Classifier":
    """Build an untrained classifier.

    Args:
        name: of the architecture.
        size: height, width in pixels; (None, None): any, for training at several. The same weights fit, whatever the size.
        dropout: share of the head's activations dropped, 0 to 1.

    Raises:
        ParamsError: there is no architecture of this name.
    """
    from components.train_classifier import head
    from components.training.backend import keras

    known = _known(name)
    backbone = backbones.build(known.backbone, size)
    if known.on_maps:
        backbone = keras.Model(backbone.input, backbone.layers[-1].input)
    return head.attach_head(backbone, getattr(head, known.head)(dropout))


def load_weights(name: str, classifier: "Classifier", spec: str, parent: Path, place: int) -> None:
    """Give a classifier what it starts from; `spec`, `parent`, `place` as in `components.backbones.weights`.

    Raises:
        BundleError: the bundle to start from is not whole.
        WeightsError: the weights cannot be had, are not those of the digest, or do not fit.
    """
    weights.load_weights("train_classifier", name, classifier.model, _ARCHITECTURES[name].backbone, spec, parent, place)


def _known(name: str) -> _Architecture:
    if name not in _ARCHITECTURES:
        raise ParamsError(f"train_classifier.models: {name} is no architecture; there are {', '.join(_ARCHITECTURES)}")
    return _ARCHITECTURES[name]
