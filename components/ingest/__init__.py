"""Ingest: read images, masks and tables from their sources into a dataset folder."""

from collections.abc import Sequence
from pathlib import Path

from components.params import IngestParams
from components.reporter import Reporter
from components.withdrawn import Withdrawn

__all__ = ["ingest"]


def ingest(
    out: Path,
    params: IngestParams,
    reporter: Reporter,
    *,
    earlier: Sequence[Path] = (),
    withdrawn: Withdrawn | None = None,
    digests: Path | None = None,
) -> None:
    """Read all sources into a dataset folder.

        manifest.parquet, shards/*.zip   images and masks as they came, but for what their files say of people
        quarantine.csv                   image, reason, file, field: what cannot be used, which `validate` judges
        personal.csv                     image, field: which kinds of personal fields were left out of its file
        sources.json                     name, licence, revision and number of images of each source
        index.parquet                    what later ingests need to read only what is new

    Of one image in several sizes, or in several sources, the largest is taken. Group, split by hash and fold are left to
    `validate`; `split` is filled for segmentation where a source has an official one. An attempt that was killed is gone on from.

    Args:
        out: the folder to write; it exists.
        params: which sources, and how phantoms are drawn.
        reporter: is told what was read, and what was left out.
        earlier: outputs that this code made before, newest first; whole shards are taken over from them.
        withdrawn: images that are kept out, whichever source still offers them; None: none.
        digests: the file in which `ingest_fingerprint` keeps digests of local files, so that those of `earlier` are known without
            reading them; None: they are read for it.

    Raises:
        SourceError: a source is absent, empty, unreadable or changes meanwhile, or no image has a diagnosis or a mask.
        TableError: a table of ISIC's kind breaks its format.
        StoreError: the disk is full.
    """
    # Phantoms of this package are drawn where nothing is read, by the web app: without what reading needs.
    from components.ingest.step import ingest as run

    run(out, params, reporter, earlier=earlier, withdrawn=withdrawn, digests=digests)
