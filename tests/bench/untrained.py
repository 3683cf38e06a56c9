"""Bundles of untrained networks for measurements, and the same networks in Keras as it is shipped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.bundle import FEATURES, Description, write_bundle
from components.dataset import Dataset
from components.lesions import CODES, Task
from components.refusal import Refusal

WEIGHTS = "trained.weights.h5"


@dataclass(frozen=True)
class Network:
    """A registered architecture at a size (height, width)."""

    architecture: str
    size: tuple[int, int]

    @property
    def task(self) -> Task:
        """What it answers."""
        return Task.SEGMENTATION if self.architecture.startswith("unet") else Task.CLASSIFICATION

    def build(self) -> Any:
        """The Keras model."""
        if self.task is Task.SEGMENTATION:
            from components.train_unet import registry as segmenters

            return segmenters.build(self.architecture, self.size, 0.1)
        from components.train_classifier import registry as classifiers

        return classifiers.build(self.architecture, self.size, 0.3).model

    def load(self, folder: Path) -> Any:
        """The Keras model with the weights that `write_untrained` left in its folder."""
        model = self.build()
        model.load_weights(folder / WEIGHTS)
        return model


def write_untrained(out: Path, network: Network, dataset: Dataset, *, int8: bool = False) -> None:
    """Write the bundle of a network that says it was trained on a dataset; it neither refuses nor is calibrated.

    With `int8` it is in 8-bit integers, whatever that costs an untrained network.
    """
    from components.training.members import OUTPUTS
    from components.training.onnx_export import export_onnx

    model = network.build()
    out.mkdir(parents=True)
    model.save_weights(out / WEIGHTS)
    exported = export_onnx(model, OUTPUTS[network.task], FEATURES if network.task is Task.CLASSIFICATION else None)
    if int8:
        from components.training.int8 import calibration_images
        from components.training.quantisation import quantise

        exported = quantise(exported, calibration_images(dataset, dataset.rows(network.task), network.size))
    description = Description(
        name=network.architecture,
        task=network.task,
        architecture=network.architecture,
        input_size=network.size,
        classes=CODES if network.task is Task.CLASSIFICATION else (),
        preprocess=dataset.preprocessing,
        mask_threshold=None if network.task is Task.CLASSIFICATION else 0.5,
        parameters_total=model.count_params(),
        parameters_trainable=model.count_params(),
        data_version=dataset.version,
        phantom=True,
        training={},
    )
    write_bundle(out, description, model=exported, weights=[out / WEIGHTS], card=f"# {network.architecture}\n")


def add_refusal(bundle: Path, refusal: Refusal) -> None:
    """Have a classifier refuse what is strange."""
    from components.bundle import CARD, MODEL, read_description
    from components.refusal import REFUSED

    described = read_description(bundle).model_copy(update={"refuses": REFUSED})
    card = (bundle / CARD).read_text(encoding="utf-8")
    write_bundle(bundle, described, model=(bundle / MODEL).read_bytes(), weights=[bundle / WEIGHTS], card=card, refusal=refusal)
