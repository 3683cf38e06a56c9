"""Serving a classifier and a U-Net, against FastAPI in front of Keras's `predict`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import load
from tests.bench.predicting import predict, prepare
from tests.bench.row import Row
from tests.bench.untrained import Network

_CLIENTS, _REQUESTS = 8, 25
_DEEP = Network("resnet101", (224, 224)), Network("unet_plain", (256, 256))
_TINY = Network("efficientnet_lite0", (32, 32)), Network("unet_tiny", (32, 32))
_MANY = 10_000
_SMALL = Network("efficientnet_lite0", (224, 224)), Network("unet_efficientnet_lite0", (256, 256))


def measure() -> Iterator[Row]:
    """Each side in a process of its own, one after the other."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "deep"
        prepare(folder, *_DEEP)
        ours, theirs = predict("OURS", folder), predict("KERAS", folder)
        yield Row.of_costs(f"one prediction, {_named(*_DEEP)}, 600x450 JPEG", "s", ours=ours, theirs=theirs)
        folder = Path(place) / "deep-int8"
        prepare(folder, *_DEEP, int8=True)
        ours = predict("OURS", folder)
        yield Row.of_costs("the same in 8-bit integers, against the same `predict` in float32", "s", ours=ours, theirs=theirs)
        folder = Path(place) / "small"
        prepare(folder, *_SMALL)
        yield from _servers(folder)
        folder = Path(place) / "tiny"
        prepare(folder, *_TINY)
        yield _soaked(folder)


def _servers(folder: Path) -> Iterator[Row]:
    measured = []
    for start in (load.ours, load.theirs):
        with start(folder) as server:
            load.latencies(server, folder, clients=_CLIENTS, requests=2)
            seconds = load.latencies(server, folder, clients=_CLIENTS, requests=_REQUESTS)
            measured.append((load.percentile_95(seconds), server.memory, server.seconds))
    ours, theirs = measured
    what = _named(*_SMALL)
    yield Row.of_costs(f"95th percentile of an answer, {_CLIENTS} clients, {what}", "s", ours=ours[0], theirs=theirs[0])
    yield Row.of_costs(f"memory after {_CLIENTS * _REQUESTS} answers, all processes, {what}", "MiB", ours=ours[1], theirs=theirs[1])
    yield Row.of_costs(f"start to ready, {what}", "s", ours=ours[2], theirs=theirs[2])


def _soaked(folder: Path) -> Row:
    with load.ours(folder) as server:
        soaked = load.soak(server, folder, clients=_CLIENTS, requests=_MANY, malformed=0.01)
    broken = {status: count for status, count in soaked.statuses.items() if status >= 500}
    if soaked.lost or broken:
        raise RuntimeError(f"of {_MANY:,} requests {soaked.lost:,} were lost, and broken answers came: {broken}")
    told = ", ".join(f"{count:,} x {status}" for status, count in sorted(soaked.statuses.items()))
    name = f"memory after {_MANY:,} requests, 1 % malformed, against after a tenth of them ({told}; none lost)"
    return Row.of_costs(name, "MiB", ours=soaked.after, theirs=soaked.before)


def _named(classifier: Network, segmenter: Network) -> str:
    return f"{classifier.architecture} {classifier.size[0]} and {segmenter.architecture} {segmenter.size[0]}"
