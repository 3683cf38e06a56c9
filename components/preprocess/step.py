"""The step: encoded files in, pixel shards out, on every core."""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from components.dataset import (
    Dataset,
    Row,
    has_pixels_shard,
    link_pixels_shard,
    write_manifest,
    write_pixels_shard,
    write_preprocessing,
)
from components.images import Mask, RGBImage, decode_mask, one_thread_a_call
from components.lesions import Task
from components.params import PreprocessParams
from components.preprocess.figures import draw_stages
from components.preprocess.shards import PixelShard, cut_shards
from components.preprocess.stages import preprocess_mask, read_image
from components.reporter import Reporter

# Rows that a thread takes at once: enough that handing them out costs nothing beside them.
_ROWS = 8


def preprocess(
    dataset: Path,
    out: Path,
    params: PreprocessParams,
    reporter: Reporter,
    *,
    earlier: Sequence[Path] = (),
    workers: int | None = None,
) -> None:
    """Write a dataset folder with the pixels of every row, preprocessed as the report does; figure `preprocess_stages`.

    Labels, splits and the data version stay those of `dataset`: only `shard` and `row` of the manifest change. Shards that an
    earlier attempt left whole in `out` are kept, and those of earlier outputs are taken over. The bytes do not depend on `workers`.

    Args:
        dataset: a validated dataset folder, encoded files in zip shards.
        out: the folder to write.
        params: sizes, and what each stage is set to.
        reporter: is told how many images are done.
        earlier: outputs that this code made before; their shards are linked: a name tells all that pixels follow from.
        workers: threads that decode and preprocess; None: one a core. Memory: two shards, whatever the number of images.

    Raises:
        DatasetError: `dataset` breaks its contract.
        ImageFormatError: a file of it cannot be decoded.
        StoreError: `out` cannot be written.
    """
    source = Dataset(dataset)
    shards = cut_shards(source, params)
    with one_thread_a_call(), ThreadPoolExecutor(workers or os.cpu_count()) as pool, ThreadPoolExecutor(1) as writer:
        reader = PixelReader(source, params)
        done, total = 0, len(source.manifest)
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
    write_preprocessing(out, params)
    write_manifest(out, pd.concat([_placed(shard) for shard in shards]))
    reporter.figure("preprocess_stages", draw_stages(source, params))
    reporter.progress(total, total, "images")


def empty_pixels(shard: PixelShard) -> tuple[RGBImage, Mask | None]:
    """Room for a shard's images, N x H x W x 3, and for a segmentation shard its masks, N x H x W; uint8."""
    shape = (len(shard.rows), *shard.size)
    return np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8) if shard.task is Task.SEGMENTATION else None


class PixelReader(threading.local):
    """Decodes and preprocesses rows of a validated dataset; each thread has archives of its own open."""

    def __init__(self, dataset: Dataset, params: PreprocessParams) -> None:
        self._dataset = dataset.reopened()
        self._params = params

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
        return read_image(self._dataset.image_bytes(row), str(row["image_id"]), size, self._params)

    def mask(self, row: Row, size: tuple[int, int]) -> Mask:
        """The preprocessed mask of a segmentation row."""
        return preprocess_mask(decode_mask(self._dataset.mask_bytes(row), str(row["mask"])), size)


def _placed(shard: PixelShard) -> pd.DataFrame:
    return shard.rows.assign(shard=f"shards/{shard.name}.npy", row=range(len(shard.rows)))
