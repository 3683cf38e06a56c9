"""The script that MLflow stores with a bundle and runs to load it: encoded images in, diagnoses or masks out.

MLflow runs this file, nobody imports it; so no object is ever unpickled. It wants the package `dermacare` installed.
"""

from pathlib import Path
from typing import Any

import cv2
import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from components.bundle import Bundle, Probabilities
from components.conformal import prediction_sets
from components.images import RGBImage, decode_image
from components.lesions import Task
from components.mask import mask_of


class LesionModel(PythonModel):
    """A bundle behind MLflow's interface.

    Give a DataFrame whose column `image` holds encoded images (bytes of a JPEG or PNG). A classifier answers `diagnosis` (code)
    and `p_MEL` … `p_SCC`; where its bundle can, `set`: codes with a space between, and `refused`: whether the image is so strange
    that the rest should not be shown. A segmenter answers `mask`, a PNG of the image's own size (0 | 255), and `lesion_share`, its
    share of lesion.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Open the bundle that lies beside this script, every byte checked."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer every image.

        Raises:
            ImageFormatError: an image cannot be decoded; the text names its row.
        """
        images = [decode_image(data, f"row {row}") for row, data in enumerate(model_input["image"])]
        if self.bundle.task is Task.CLASSIFICATION:
            return self._diagnoses(*self.bundle.predict_or_refuse(images))
        return self._masks(images, self.bundle.predict(images))

    def _diagnoses(self, probabilities: Probabilities, refused: npt.NDArray[np.bool_]) -> pd.DataFrame:
        classes = self.bundle.description.classes
        table = pd.DataFrame(probabilities.astype(np.float64), columns=[f"p_{code}" for code in classes])
        table.insert(0, "diagnosis", [classes[place] for place in probabilities.argmax(axis=1)])
        if self.bundle.description.conformal is not None:
            sets = prediction_sets(probabilities, self.bundle.description.conformal)
            table["set"] = [" ".join(np.array(classes)[inside]) for inside in sets]
        if self.bundle.description.refuses is not None:
            table["refused"] = refused
        return table

    def _masks(self, images: list[RGBImage], probabilities: Probabilities) -> pd.DataFrame:
        masks = [self._mask(image, one) for image, one in zip(images, probabilities, strict=True)]
        encoded = [cv2.imencode(".png", mask)[1].tobytes() for mask in masks]
        return pd.DataFrame({"mask": encoded, "lesion_share": [float((mask > 0).mean()) for mask in masks]})

    def _mask(self, image: RGBImage, probabilities: Probabilities) -> Any:
        threshold = self.bundle.description.mask_threshold
        assert threshold is not None, self.bundle.name
        return np.where(mask_of(probabilities, image.shape[:2], threshold), np.uint8(255), np.uint8(0))


mlflow.models.set_model(LesionModel())
