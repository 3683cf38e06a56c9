"""The search for near-duplicates' hashes, against XOR and population count in numpy, block by block."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from components.near_duplicates import TURNS, pairs_within
from tests.bench.row import Row, race

_IMAGES = 25_331
_DISTANCE = 10
_BLOCK = 512
_PLANTED = 500
_REPEATS = 3

Hashes = npt.NDArray[np.uint64]


def measure() -> Iterator[Row]:
    """Seconds to find all pairs of ISIC 2019 within ten bits, turned and mirrored ones included."""
    hashes = _hashes()
    found = {(first, second) for pairs in pairs_within(hashes, _DISTANCE) for first, second in zip(pairs.first, pairs.second)}  # noqa: B905
    assert found == set(_numpy_search(hashes)), "the two searches find different pairs: nothing to compare"
    assert len(found) >= _PLANTED
    seconds = race(lambda: list(pairs_within(hashes, _DISTANCE)), lambda: _numpy_search(hashes), repeats=_REPEATS)
    yield Row.of_costs("near-duplicate search over 25,331 hashes", "s", ours=seconds[0], theirs=seconds[1])


def _hashes() -> Hashes:
    """Hashes of unrelated pictures, and of some that repeat others but for a few bits."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, (_IMAGES, TURNS), dtype=np.uint64)
    # The search holds the upright hash of the earlier picture against the turns of the later one.
    originals, copies = np.sort(rng.permutation(_IMAGES)[: 2 * _PLANTED].reshape(2, -1), axis=0)
    changed = np.uint64(1) << rng.integers(0, 64, (_PLANTED, 6), dtype=np.uint64)
    hashes[copies, rng.integers(0, TURNS, _PLANTED)] = hashes[originals, 0] ^ np.bitwise_or.reduce(changed, axis=1)
    return hashes


def _numpy_search(hashes: Hashes) -> list[tuple[int, int]]:
    pairs = []
    for turn in range(TURNS):
        turned = np.ascontiguousarray(hashes[:, turn])
        for start in range(0, len(hashes), _BLOCK):
            bits = np.bitwise_count(hashes[start : start + _BLOCK, :1] ^ turned[start:])
            first, second = np.nonzero(np.triu(bits <= _DISTANCE, 1))
            pairs += zip((first + start).tolist(), (second + start).tolist(), strict=True)
    return pairs
