"""The segmenters by name. A new one is a file of this folder with a function like `unet_plain.build`, and a line here."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from components.backbones import weights
from components.errors import ParamsError
from components.params import PreprocessParams, TrainUnetParams
from components.training.seen_sizes import seen_sizes

if TYPE_CHECKING:
    from components.training.backend import keras


@dataclass(frozen=True)
class _Architecture:
    """A segmenter.

    Attributes:
        multiple: what height and width must be multiples of.
        backbone: name of the one that it is built on, if any.
        gains_on_amx: see `devices.precision_here`.
    """

    multiple: int
    backbone: str | None = None
    gains_on_amx: bool = False


# Name, also of its file.
_ARCHITECTURES = {
    "unet_plain": _Architecture(16, gains_on_amx=True),
    "unet_dilated": _Architecture(16, gains_on_amx=True),
    "unet_resnet50": _Architecture(32, "resnet50", gains_on_amx=True),
    "unet_efficientnet_lite0": _Architecture(32, "efficientnet_lite0"),
    "unet_tiny": _Architecture(2),
}


def architectures() -> list[str]:
    """Names that `train_unet.models` may hold; known without TensorFlow."""
    return list(_ARCHITECTURES)


def check_sizes(params: TrainUnetParams, preprocess: PreprocessParams) -> None:
    """Refuse sizes of images that a segmenter cannot see, before any is trained on.

    Args:
        params: how it is trained; `models` holds its name.
        preprocess: how its images were preprocessed.

    Raises:
        ParamsError: there is no architecture of this name, it cannot see images of one of the sizes, or a stage of `progressive` is
            larger than the model's own size.
    """
    (name,) = params.models
    multiple = _known(name).multiple
    for field, (height, width) in seen_sizes(params, preprocess).items():
        if height % multiple or width % multiple:
            raise ParamsError(f"{field} is {height} x {width}, but {name} needs multiples of {multiple}; set it to such a size")


def precision_here(params: TrainUnetParams) -> str:
    """What a segmenter's layers compute in on this machine, `float32` or `bfloat16`; `params.models` holds its name."""
    from components.training import devices

    (name,) = params.models
    return devices.precision_here(params.precision, _known(name).gains_on_amx)


def build(name: str, size: tuple[int, int] | tuple[None, None], dropout: float) -> "keras.Model":
    """Build an untrained segmenter; for arguments and result see `unet_plain.build`.

    Raises:
        ParamsError: there is no architecture of this name.
    """
    _known(name)
    model: keras.Model = import_module(f"components.train_unet.{name}").build(size, dropout)
    return model


def load_weights(name: str, model: "keras.Model", spec: str, parent: Path, place: int) -> None:
    """Give a segmenter what it starts from; `spec`, `parent`, `place` as in `components.backbones.weights`.

    Raises:
        BundleError: the bundle to start from is not whole.
        WeightsError: the weights cannot be had, are not those of the digest, or do not fit.
    """
    weights.load_weights("train_unet", name, model, _ARCHITECTURES[name].backbone, spec, parent, place)


def _known(name: str) -> _Architecture:
    if name not in _ARCHITECTURES:
        raise ParamsError(f"train_unet.models: {name} is no architecture; there are {', '.join(_ARCHITECTURES)}")
    return _ARCHITECTURES[name]
