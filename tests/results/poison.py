"""Ways to poison a batch: labels flipped, copies of test images, pictures of another kind."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from components.evaluate.probes import draw_far
from components.images import RGBImage, decode_image

Labels = npt.NDArray[np.object_]

FLIPS = ("uniform", "in proportion", "MEL and NV swapped")


def flip(labels: Labels, dose: float, how: str, rng: np.random.Generator) -> Labels:
    """Labels of which a share is another diagnosis.

    Args:
        labels: N codes.
        dose: share of all N that is flipped; of `MEL and NV swapped` no more than there are of the two.
        how: `uniform`: to each other class alike; `in proportion`: to another class as often as that comes; `MEL and NV swapped`:
            melanomas are called nevi and nevi melanomas.
        rng: draws which, and to what.
    """
    flipped, classes = labels.copy(), np.unique(labels.astype(str))
    may = np.flatnonzero(np.isin(labels, ("MEL", "NV"))) if how == FLIPS[2] else np.arange(len(labels))
    chosen = rng.choice(may, min(len(may), round(dose * len(labels))), replace=False)
    shares = np.array([(labels == code).mean() for code in classes])
    for place in chosen:
        if how == FLIPS[2]:
            flipped[place] = "NV" if labels[place] == "MEL" else "MEL"
            continue
        weights = np.where(classes == labels[place], 0, 1 if how == FLIPS[0] else shares)
        flipped[place] = str(rng.choice(classes, p=weights / weights.sum()))
    return flipped


def copy_of(image: RGBImage, rng: np.random.Generator) -> RGBImage:
    """The same picture, turned or mirrored, cropped by up to 4 %, of another exposure, compressed again at quality 60 to 90."""
    height, width = image.shape[:2]
    down, across = (int(side * rng.uniform(0, 0.02)) for side in (height, width))
    copied = image[down : height - down, across : width - across]
    copied = np.rot90(copied, int(rng.integers(4)))[:, :: int(rng.choice([1, -1]))]
    lighter = np.clip(copied.astype(np.float32) * rng.uniform(0.9, 1.1) + rng.uniform(-8, 8), 0, 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", lighter[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 91))])[1]
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])


def other_pictures(count: int, rng: np.random.Generator) -> Mapping[str, list[RGBImage]]:
    """Kind → `count` pictures that are no dermoscopy, 224 x 224, from those that scikit-image brings."""
    from skimage import data

    whole = {
        "photographs": [data.astronaut(), data.coffee(), data.cat(), data.rocket()],
        "histology": [data.immunohistochemistry()],
        "microscopy, grey": [data.cell(), data.coins(), data.microaneurysms()],
        "eye fundus": [data.retina()],
        "printed pages": [data.page(), data.text()],
    }
    found = {kind: [_part(pictures[place % len(pictures)], rng) for place in range(count)] for kind, pictures in whole.items()}
    return found | {"charts": list(draw_far((224, 224))["charts"])[:count]}


def parts_of(folder: Path, count: int, rng: np.random.Generator) -> list[RGBImage]:
    """`count` parts of the PNGs and JPEGs of a folder, 224 x 224, of each alike many."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    pictures = [decode_image(file.read_bytes(), file.name) for file in files]
    return [_part(pictures[place % len(pictures)], rng) for place in range(count)]


def _part(picture: npt.NDArray[np.uint8], rng: np.random.Generator) -> RGBImage:
    """A part of half to the whole of a picture's sides, at random, at 224 x 224."""
    colour = np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture[..., :3]
    height, width = (max(32, int(side * rng.uniform(0.5, 1))) for side in colour.shape[:2])
    top, left = rng.integers(colour.shape[0] - height + 1), rng.integers(colour.shape[1] - width + 1)
    part = np.ascontiguousarray(colour[top : top + height, left : left + width])
    return cv2.resize(part, (224, 224), interpolation=cv2.INTER_AREA)
