"""A part of step 3, for a cluster: some of the pixel shards. `preprocess` then takes them over and computes none anew."""

import re
from pathlib import Path

from components.dataset import Dataset
from components.errors import ParamsError
from components.params import PreprocessParams
from components.reporter import Reporter

__all__ = ["preprocess_shards"]


def preprocess_shards(
    dataset: Path,
    out: Path,
    params: PreprocessParams,
    reporter: Reporter,
    *,
    part: str,
    workers: int | None = None,
) -> None:
    """Write every n-th pixel shard of a dataset into `out`/shards, as `preprocess` would: the same names and bytes.

    Args:
        dataset: a validated dataset folder, encoded files in zip shards.
        out: the folder to write; where `params.segmenter` names one, its bundle lies in `segmenter/` already.
        params: of `preprocess`.
        reporter: is told how many images are done.
        part: which of how many parts: `0/4` to `3/4`.
        workers: threads; None: one a core.

    Raises:
        ParamsError: `part` is no such text.
        BundleError: the segmenter's bundle is not whole.
        DatasetError: `dataset` breaks its contract.
        ImageFormatError: a file of it cannot be decoded.
        StoreError: `out` cannot be written.
    """
    from components.preprocess.shards import cut_shards
    from components.preprocess.step import write_shards

    found = re.fullmatch(r"(\d+)/(\d+)", part)
    if found is None or int(found[1]) >= int(found[2]):
        raise ParamsError(f"part: {part!r} is none; write 0/4 to 3/4")
    source = Dataset(dataset)
    shards = cut_shards(source, params)[int(found[1]) :: int(found[2])]
    (out / "shards").mkdir(exist_ok=True)
    write_shards(source, shards, out, params, reporter, earlier=(), workers=workers)
