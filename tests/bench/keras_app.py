"""`python -m tests.bench.keras_app FOLDER PORT`: what somebody would write who has two Keras models and FastAPI.

It decodes, scales, calls `predict` of both, and answers probabilities and a mask as PNG. `/readyz` answers once both have
predicted.
"""

import base64
import sys
from pathlib import Path
from typing import Annotated

import keras  # before our settings, so that TensorFlow runs as it is shipped
import tensorflow  # noqa: F401
import uvicorn
from fastapi import FastAPI, UploadFile

import cv2  # isort: skip
import numpy as np  # isort: skip

from tests.bench.predicting import networks_of  # isort: skip


class Models:
    """Both models; `answer` is one prediction from encoded bytes."""

    def __init__(self, folder: Path) -> None:
        classifier, segmenter = networks_of(folder)
        self._sizes = classifier.size, segmenter.size
        self._models: tuple[keras.Model, keras.Model] = (
            classifier.load(folder / "models" / classifier.architecture),
            segmenter.load(folder / "models" / segmenter.architecture),
        )

    def answer(self, data: bytes) -> dict[str, object]:
        """Probabilities, and the mask of the image's size as a PNG."""
        image = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        probabilities, mask = (
            model.predict(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)[None] / np.float32(255), verbose=0)[0]
            for model, size in zip(self._models, self._sizes, strict=True)
        )
        whole = cv2.resize(mask[..., 0], image.shape[1::-1]) >= 0.5
        png = cv2.imencode(".png", whole.astype(np.uint8) * 255)[1]
        return {"probabilities": probabilities.tolist(), "mask": base64.b64encode(png.tobytes()).decode()}


def make_app(models: Models) -> FastAPI:
    """The app; FastAPI runs what is no coroutine on threads."""
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> str:
        return "ok"

    @app.post("/api/v1/predictions")
    def predict(image: Annotated[UploadFile, "an image"]) -> dict[str, object]:
        return models.answer(image.file.read())

    return app


def main(folder: str, port: str) -> None:
    """Load, predict once, serve."""
    from tests.bench.predicting import photograph

    models = Models(Path(folder))
    models.answer(photograph(Path(folder)))
    uvicorn.run(make_app(models), host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
