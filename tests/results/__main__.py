"""`python -m tests.results ROW [--set …]`: train and judge what a row of docs/results.md tells; killed, it goes on from there.

`python -m tests.results calibration --table out_of_fold.parquet` judges what such a training left.
`python -m tests.results batches` tells how often a poisoned batch of images is refused (docs/retraining.md).
"""

import sys
from collections.abc import Callable, Iterator

from tests.results import batches, calibration, classification, quick, segmentation

ROWS: dict[str, Callable[..., Iterator[str]]] = {
    "ham10000": classification.measure_ham10000,
    "isic": classification.measure_isic,
    "both": classification.measure_both,
    "resnets": classification.measure_resnets,
    "segmentation": segmentation.measure_both,
    "wang": segmentation.measure_wang,
    "quick": quick.measure_quick,
    "crop": quick.measure_crop,
    "leak": quick.measure_leak,
    "calibration": calibration.measure_table,
    "batches": batches.measure_batches,
}


def main(arguments: list[str]) -> None:
    """Measure a row and print its lines."""
    if not arguments or arguments[0] not in ROWS:
        sys.exit(f"usage: python -m tests.results {{{','.join(ROWS)}}} [--set section.key=value …]; calibration --table FILE")
    for line in ROWS[arguments[0]](*arguments[1:]):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
