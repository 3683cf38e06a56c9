"""The step: encoded files in, pixel shards out, on every core."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from components.bundle import Bundle
from components.cores import usable_cores
from components.dataset import (
    Dataset,
    Row,
    has_pixels_shard,
    link_pixels_shard,
    write_manifest,
    write_pixels_shard,
    write_preprocessing,
)
from components.images import Mask, RGBImage, decode_image, decode_mask, one_thread_a_call
from components.lesion_crop import SEGMENTER
from components.lesions import Task
from components.measures import read_measures, write_measures
from components.params import PreprocessParams
from components.preprocess.figures import draw_stages
from components.preprocess.shards import PixelShard, cut_shards
from components.preprocess.stages import preprocess_image, preprocess_mask, read_image
from components.reporter import Reporter

# Rows that a thread takes at once: enough that handing them out costs nothing beside them.
_ROWS = 8


def preprocess(
    dataset: Path,
    out: Path,
    params: PreprocessParams,
    reporter: Reporter,
    *,
    earlier: Sequence[Path],
    workers: int | None,
) -> None:
    """See `components.preprocess.preprocess`."""
    source = Dataset(dataset)
    shards = cut_shards(source, params)
    reader = write_shards(source, shards, out, params, reporter, earlier=earlier, workers=workers)
    write_preprocessing(out, params)
    write_manifest(out, pd.concat([_placed(shard) for shard in shards]))
    # Evaluate tells hairy images and small lesions apart by it; data sets that no validation made have none.
    if (dataset / "measures.parquet").exists():
        write_measures(out, read_measures(dataset))
    reporter.figure("preprocess_stages", draw_stages(source, params, reader.cropped if params.segmenter else None))
    total = len(source.manifest)
    reporter.progress(total, total, "images")


def write_shards(
    source: Dataset,
    shards: Sequence[PixelShard],
    out: Path,
    params: PreprocessParams,
    reporter: Reporter,
    *,
    earlier: Sequence[Path],
    workers: int | None,
) -> "PixelReader":
    """Write shards of a dataset, but those that lie in `out` or in an earlier output; returns what read them.

    Args:
        source: the validated dataset.
        shards: those to write.
        out: the folder to write.
        params: what each stage is set to.
        reporter: is told how many images are done.
        earlier: see `components.preprocess.preprocess`.
        workers: see `components.preprocess.preprocess`.
    """
    with one_thread_a_call(), ThreadPoolExecutor(workers or usable_cores()) as pool, ThreadPoolExecutor(1) as writer:
        reader = PixelReader(source, params, Bundle.load(out / SEGMENTER) if params.segmenter else None)
        done, total = 0, sum(len(shard.rows) for shard in shards)
        written: Future[str] | None = None
        for shard in shards:
            if not has_pixels_shard(out, shard.name) and not link_pixels_shard(out, shard.name, earlier):
                images, masks = empty_pixels(shard)
                for place in reader.read(shard, images, masks, pool):
                    reporter.progress(done + place, total, "images")
                if written is not None:
                    written.result()
                # The cores go on with the next shard while this one goes to the disk.
                written = writer.submit(write_pixels_shard, out, shard.name, images, masks)
            done += len(shard.rows)
        if written is not None:
            written.result()
    return reader


def empty_pixels(shard: PixelShard) -> tuple[RGBImage, Mask | None]:
    """Room for a shard's images, N x H x W x 3, and for a segmentation shard its masks, N x H x W; uint8."""
    shape = (len(shard.rows), *shard.size)
    return np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8) if shard.task is Task.SEGMENTATION else None


class PixelReader(threading.local):
    """Decodes and preprocesses rows of a validated dataset; each thread has archives of its own open.

    Args:
        dataset: the dataset.
        params: what each stage is set to.
        segmenter: crops the images of classification; None: they are left whole.
    """

    def __init__(self, dataset: Dataset, params: PreprocessParams, segmenter: Bundle | None = None) -> None:
        self._dataset = dataset.reopened()
        self._params = params
        self._segmenter = segmenter

    def read(self, shard: PixelShard, images: RGBImage, masks: Mask | None, pool: ThreadPoolExecutor) -> Iterator[int]:
        """Fill `images` and `masks` with a shard's pixels on the threads of `pool`; yields how many rows are done, in order."""
        rows = shard.rows.to_dict("records")

        def fill(places: range) -> int:
            for place in places:
                images[place] = self.image(rows[place], shard.size)
                if masks is not None:
                    masks[place] = self.mask(rows[place], shard.size)
            return places.stop

        return pool.map(fill, [range(start, min(start + _ROWS, len(rows))) for start in range(0, len(rows), _ROWS)])

    def image(self, row: Row, size: tuple[int, int]) -> RGBImage:
        """The preprocessed image of a row."""
        if self._segmenter is not None and row["task"] == Task.CLASSIFICATION.value:
            return preprocess_image(self.cropped(row, size), size, self._params)
        return read_image(self._dataset.image_bytes(row), str(row["image_id"]), size, self._params)

    def cropped(self, row: Row, size: tuple[int, int]) -> RGBImage:
        """The image of a classification row, decoded whole and cropped to its lesion."""
        assert self._segmenter is not None
        image = decode_image(self._dataset.image_bytes(row), str(row["image_id"]))
        return self._segmenter.crop_to_lesion([image], margin=self._params.crop_margin, size=size)[0]

    def mask(self, row: Row, size: tuple[int, int]) -> Mask:
        """The preprocessed mask of a segmentation row."""
        return preprocess_mask(decode_mask(self._dataset.mask_bytes(row), str(row["mask"])), size)


def _placed(shard: PixelShard) -> pd.DataFrame:
    return shard.rows.assign(shard=f"shards/{shard.name}.npy", row=range(len(shard.rows)))
