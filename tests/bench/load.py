"""Servers under load: how long until they are ready, how long answers take, what memory they hold."""

import itertools
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.bench.predicting import photograph
from tests.dermacare_server import serving
from tests.mlflow_server import free_port

_READY_SECONDS = 300


@dataclass(frozen=True)
class Server:
    """A server that is ready: its address, its process, and the seconds that this took."""

    address: str
    process: psutil.Process
    seconds: float

    @property
    def memory(self) -> float:
        """MiB of the process and its children, shared pages counted once."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(one.memory_full_info().pss for one in processes) / 2**20


@contextmanager
def ours(folder: Path) -> Iterator[Server]:
    """`dermacare serve` over what `prepare` left."""
    start = time.perf_counter()
    with serving(folder / "home") as server:
        yield Server(server.address, psutil.Process(server.process.pid), time.perf_counter() - start)


@contextmanager
def theirs(folder: Path) -> Iterator[Server]:
    """The Keras app."""
    port, start = free_port(), time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.keras_app", str(folder), str(port)], stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while not _is_ready(address):
            if process.poll() is not None or time.perf_counter() - start > _READY_SECONDS:
                raise TimeoutError("the Keras app did not start; run `python -m tests.bench.keras_app` to see why")
            time.sleep(0.05)
        yield Server(address, psutil.Process(process.pid), time.perf_counter() - start)
    finally:
        process.kill()
        process.wait()


def latencies(server: Server, folder: Path, *, clients: int, requests: int) -> list[float]:
    """Seconds of each of `requests` answers to each of so many clients that ask at once, each as soon as it was answered."""
    data, answered = photograph(folder), list[float]()

    def ask() -> None:
        with httpx.Client(base_url=server.address, timeout=120) as client:
            for _ in range(requests):
                start = time.perf_counter()
                client.post("/api/v1/predictions", files={"image": ("image.jpg", data, "image/jpeg")}).raise_for_status()
                answered.append(time.perf_counter() - start)

    _together(ask, clients)
    if len(answered) != clients * requests:
        raise RuntimeError(f"{clients * requests - len(answered)} requests were not answered")
    return answered


@dataclass(frozen=True)
class Soaked:
    """What came of many requests: status → answers; requests that got none; MiB after the first tenth, and after all."""

    statuses: Counter[int]
    lost: int
    before: float
    after: float


def soak(server: Server, folder: Path, *, clients: int, requests: int, malformed: float) -> Soaked:
    """Send so many requests, a share of them malformed: cut-off pictures, text, no picture at all, a field that is none."""
    data, statuses, lock = photograph(folder), Counter[int](), threading.Lock()
    every, kinds = round(1 / malformed), itertools.cycle(_malformed(data))
    numbers, before = iter(range(requests)), 0.0

    def ask() -> None:
        nonlocal before
        with httpx.Client(base_url=server.address, timeout=120) as client:
            while True:
                with lock:
                    number = next(numbers, None)
                    sent = next(kinds) if number is not None and number % every == 0 else {"files": {"image": ("a.jpg", data)}}
                if number is None:
                    return
                if number == requests // 10:
                    before = server.memory
                try:
                    status = client.post("/api/v1/predictions", **sent).status_code
                except httpx.TransportError:
                    continue
                with lock:
                    statuses[status] += 1

    _together(ask, clients)
    return Soaked(statuses, requests - statuses.total(), before, server.memory)


def _malformed(data: bytes) -> list[dict[str, Any]]:
    return [
        {"files": {"image": ("a.jpg", data[: len(data) // 2])}},
        {"files": {"image": ("a.txt", b"no picture")}},
        {"data": {"age": "7"}},
        {"files": {"image": ("a.jpg", data)}, "data": {"age": "old"}},
    ]


def _together(work: Callable[[], None], clients: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def percentile_95(seconds: Sequence[float]) -> float:
    """What 95 % stay below."""
    return statistics.quantiles(seconds, n=20)[-1]


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False
