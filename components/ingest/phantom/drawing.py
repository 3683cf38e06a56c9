"""Drawing a whole folder of phantoms, in ISIC's layout."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np

from components.cores import usable_cores
from components.errors import SourceError
from components.files import atomic_write, write_text
from components.ingest.phantom.photograph import Photograph, draw_patch, take_photograph
from components.ingest.phantom.roster import PhantomLesion, ground_truth, metadata, roster
from components.params import PhantomParams

_QUALITY = 90


def draw_phantoms(out: Path, params: PhantomParams, progress: Callable[[int, int], None]) -> None:
    """Write a folder of drawn dermoscopy that reads as one of ISIC's.

        ISIC_2019_Training_GroundTruth.csv    one-hot diagnoses
        ISIC_2019_Training_Metadata.csv       age, site, lesion, sex; some cells empty
        images/<image>.jpg                    H x W, RGB, JPEG of quality 90
        masks/<image>_segmentation.png        the exact lesion mask, 0 | 255
        hair/<image>_hair.png                 the exact hair mask, 0 | 255, for tests of hair removal
        phantom.json                          the parameters that it was drawn with

    Every lesion has its own generator, made from the seed and the lesion's number: the files are byte-identical for a seed
    (and one build of numpy and OpenCV), however many threads draw, and whatever was drawn before. Files that an earlier,
    interrupted call has written are kept; the tables come last.

    Args:
        out: the folder; made where it is absent.
        params: how many, of which size, of which seed.
        progress: called with the number of images drawn and of all images.

    Raises:
        SourceError: `out` holds phantoms that were drawn with other parameters.
        StoreError: the disk is full, or the folder cannot be written.
    """
    _claim(out, params)
    lesions = roster(params)
    total = sum(len(lesion.images) for lesion in lesions)
    done = 0
    pool = ThreadPoolExecutor(usable_cores())
    try:
        for drawn in as_completed([pool.submit(_draw_lesion, out, params, lesion) for lesion in lesions]):
            done += drawn.result()
            progress(done, total)
    finally:
        pool.shutdown(cancel_futures=True)
    write_text(out / "ISIC_2019_Training_GroundTruth.csv", ground_truth(lesions))
    write_text(out / "ISIC_2019_Training_Metadata.csv", metadata(lesions))


def _claim(out: Path, params: PhantomParams) -> None:
    """Say what the folder is drawn with, so that no later call mixes two drawings."""
    note, text = out / "phantom.json", params.model_dump_json(indent=2) + "\n"
    if note.exists() and note.read_text("utf-8") != text:
        raise SourceError(f"{note}: the folder holds phantoms of other parameters; draw into an empty folder")
    write_text(note, text)


def _draw_lesion(out: Path, params: PhantomParams, lesion: PhantomLesion) -> int:
    """Draw all photographs of a lesion that are not there yet; returns how many it has."""
    paths = [_paths(out, image) for image in lesion.images]
    if not all(path.exists() for files in paths for path in files):
        patch = draw_patch(lesion.diagnosis, lesion.tone, params.size, np.random.default_rng([params.seed, lesion.number, 3]))
        for view, files in enumerate(paths):
            photograph = take_photograph(patch, params.size, np.random.default_rng([params.seed, lesion.number, 4, view]))
            _write(photograph, *files)
    return len(lesion.images)


def _paths(out: Path, image: str) -> tuple[Path, Path, Path]:
    return out / "images" / f"{image}.jpg", out / "masks" / f"{image}_segmentation.png", out / "hair" / f"{image}_hair.png"


def _write(photograph: Photograph, image: Path, mask: Path, hair: Path) -> None:
    bgr = cv2.cvtColor(photograph.image, cv2.COLOR_RGB2BGR)
    jpeg = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    for path, pixels, options in ((mask, photograph.mask, []), (hair, photograph.hair, []), (image, bgr, jpeg)):
        with atomic_write(path) as handle:
            handle.write(cv2.imencode(path.suffix, pixels, options)[1].tobytes())
