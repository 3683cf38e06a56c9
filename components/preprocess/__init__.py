"""Step 3: the report's chapter 4. Resize, take hairs away, even out contrast; pixels stored once as uint8."""

from collections.abc import Sequence
from pathlib import Path

from components.params import PreprocessParams
from components.reporter import Reporter

__all__ = ["preprocess"]


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

    Labels, splits and the data version stay those of `dataset`: only `shard` and `row` of the manifest change; its measures.parquet
    is handed on. Shards that an earlier attempt left whole in `out` are kept, and those of earlier outputs are taken over. The
    bytes do not depend on `workers`.

    Args:
        dataset: a validated dataset folder, encoded files in zip shards.
        out: the folder to write; where `params.segmenter` names one, its bundle lies in `segmenter/` already.
        params: sizes, and what each stage is set to.
        reporter: is told how many images are done.
        earlier: outputs that this code made before; their shards are linked: a name tells all that pixels follow from.
        workers: threads that decode and preprocess; None: one a core. Memory: two shards, whatever the number of images.

    Raises:
        BundleError: the segmenter's bundle is not whole.
        DatasetError: `dataset` breaks its contract.
        ImageFormatError: a file of it cannot be decoded.
        StoreError: `out` cannot be written.
    """
    # A bundle preprocesses what it is shown, so it imports stages of this package; the step itself opens a bundle.
    from components.preprocess.step import preprocess as run

    run(dataset, out, params, reporter, earlier=earlier, workers=workers)
