"""`python -m tests.bench.capacity`: what one answer costs a server, by the models that answer; docs/scaling.md reckons with it.

CPU seconds of the server's processes, so that the client beside it does not count.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.bench import load
from tests.bench.predicting import prepare
from tests.bench.untrained import Network

_CLIENTS, _WARM, _REQUESTS = 8, 2, 25
_LITE = Network("efficientnet_lite0", (224, 224)), Network("unet_efficientnet_lite0", (256, 256))
_DEEP = Network("resnet101", (224, 224)), Network("unet_plain", (256, 256))
_TINY = Network("efficientnet_lite0", (32, 32)), Network("unet_tiny", (32, 32))
_PAIRS = {
    "Lite0 224, U-Net on Lite0 256": (*_LITE, False),
    "ResNet101 224, U-Net 256": (*_DEEP, False),
    "the same in 8-bit integers": (*_DEEP, True),
    "networks of almost nothing": (*_TINY, False),
}


def main() -> None:
    """Measure, print."""
    table = Table("models", "CPU seconds an answer", "answers/s", "MiB", "bytes a row of the log")
    for name, (classifier, segmenter, int8) in _PAIRS.items():
        with tempfile.TemporaryDirectory() as place:
            prepare(Path(place), classifier, segmenter, int8=int8)
            table.add_row(name, *_measured(Path(place)))
    Console().print(table)


def _measured(folder: Path) -> Sequence[str]:
    with load.ours(folder) as server:
        load.latencies(server, folder, clients=_CLIENTS, requests=_WARM)
        before = _cpu_seconds(server.process)
        seconds = load.latencies(server, folder, clients=_CLIENTS, requests=_REQUESTS)
        cpu, memory = _cpu_seconds(server.process) - before, server.memory
    answers = _CLIENTS * (_WARM + _REQUESTS)
    row = (folder / "home" / "predictions.db").stat().st_size / answers
    rate = _CLIENTS / (sum(seconds) / len(seconds))  # Little's law: so many are always being answered
    return f"{cpu / len(seconds):.3f}", f"{rate:.0f}", f"{memory:.0f}", f"{row:,.0f}"


def _cpu_seconds(process: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))


if __name__ == "__main__":
    main()
