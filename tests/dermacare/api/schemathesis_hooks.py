"""What schemathesis sends as an image: real ones."""

import io
import zipfile

import schemathesis
from hypothesis import strategies

from components.lesions import Diagnosis
from tests.components.predict.drawn import jpeg, lesion, png

_SIZES = ((160, 200), (64, 64), (300, 32))
_IMAGES = [lesion(diagnosis, size) for diagnosis in (Diagnosis.MEL, Diagnosis.VASC) for size in _SIZES]


def _zipped(*images: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, image in enumerate(images):
            archive.writestr(f"{number}.png", image)
    return out.getvalue()


schemathesis.openapi.media_type("image/png", strategies.sampled_from([png(image) for image in _IMAGES]))
schemathesis.openapi.media_type("image/jpeg", strategies.sampled_from([jpeg(image) for image in _IMAGES]))
schemathesis.openapi.media_type("application/zip", strategies.just(_zipped(png(_IMAGES[0]), png(_IMAGES[1]))))
