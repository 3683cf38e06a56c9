"""Two thousand requests by eight clients, one in a hundred malformed: none lost, none answered by a fault, memory flat."""

import random
import threading
from collections import Counter

import httpx
import psutil
import pytest

from components.lesions import Diagnosis
from pipelines.home import Home
from tests.components.predict.drawn import jpeg, lesion, png
from tests.dermacare_server import Server, serving

REQUESTS, CLIENTS = 2000, 8
PREDICTIONS = "/api/v1/predictions"
SOUND = [encode(lesion(one, (240, 320))) for one in (Diagnosis.MEL, Diagnosis.NV, Diagnosis.VASC) for encode in (png, jpeg)]
MALFORMED = {
    415: {"files": {"image": ("a.gif", b"GIF89a")}},
    422: {"files": {"image": ("a.jpg", SOUND[1][:-400])}},
    400: {"content": b"--x\r\nno form", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
}


def fire(server: Server, requests: int) -> Counter[tuple[int, int]]:
    """Counts of (expected, answered) status."""
    counts: Counter[tuple[int, int]] = Counter()
    lock, left = threading.Lock(), list(range(requests))

    def ask() -> None:
        with server.client() as client:
            while True:
                with lock:
                    if not left:
                        return
                    number = left.pop()
                expected = random.Random(number).choice(list(MALFORMED)) if number % 100 == 0 else 200
                sent = MALFORMED.get(expected) or {"files": {"image": ("a", SOUND[number % len(SOUND)])}}
                try:
                    status = client.post(PREDICTIONS, **sent).status_code
                except httpx.TransportError:
                    status = 0
                with lock:
                    counts[expected, status] += 1

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


@pytest.mark.slow
def test_nothing_is_lost_and_memory_stays_flat(ready_home: Home) -> None:
    with serving(ready_home.root) as server:
        process = psutil.Process(server.process.pid)
        fire(server, REQUESTS // 4)
        before = process.memory_info().rss
        counts = fire(server, REQUESTS)
        after = process.memory_info().rss
    assert sum(counts.values()) == REQUESTS
    assert {(expected, got) for expected, got in counts if expected != got} == set()
    assert counts[200, 200] == REQUESTS - REQUESTS // 100
    assert after - before < 16 << 20
