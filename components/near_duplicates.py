"""Finding images that show the same picture, upright, turned or mirrored: by perceptual hash, then by correlation of textures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from components.images import RGBImage

Texture = npt.NDArray[np.uint8]
"""TEXTURE_SIDE x TEXTURE_SIDE, uint8: grey, even in brightness and contrast everywhere."""
Hashes = npt.NDArray[np.uint64]
"""N x TURNS, uint64: the perceptual hashes of N images, upright first; N x 1 where turns do not matter."""
Places = npt.NDArray[np.int64]
"""Places of images in the list that is searched, from 0."""

TURNS = 8
TEXTURE_SIDE = 64

_REDUCED_SIDE = 128
# Details of up to about this many pixels of the thumbnail count. Wider ones, the outline of a mole above all, look the same in
# unrelated images; finer ones do not survive another crop by a pixel.
_DETAIL = 2.0
# Grey levels below which detail is noise.
_NOISE = 2.0
# Two shots or crops of one picture lie a few thumbnail pixels apart.
_SHIFT = 3

_HASH_SIDE = 8
_HASHED_SIDE = 32
# Images searched at once: so many that a call costs nothing beside them, so few that what it finds fits memory if all are alike.
_QUERIES = 256
_INDEXED = 2048

# Pairs are first compared by their textures' waves of up to this many periods a side, which is about a tenth of the work.
_WAVES = 10
# Of 337,000 pairs of real images (ISIC 2019, HAM10000) whose hashes differ by 12 bits or less, each that correlates by 0.45 pixel
# by pixel does so by 0.58 here; one in a hundred of all passes this.
_ROUGHLY = 0.5
_COMPARED = 4096


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of an image to find its near-duplicates.

    Attributes:
        hashes: TURNS 64-bit perceptual hashes of the whole picture in each turn (pHash, Zauner 2010, as in ImageHash).
        texture: its upright thumbnail, locally normalised.
    """

    hashes: npt.NDArray[np.uint64]
    texture: Texture


@dataclass(frozen=True)
class NearDuplicate:
    """Two images that show the same.

    Attributes:
        first: place of the one in the list that was searched.
        second: place of the other, which comes later.
        distance: bits in which the first's hash differs from that of the second, turned.
        correlation: of their textures, the second turned.
        turn: how the second is turned to look like the first: see `turned`.
    """

    first: int
    second: int
    distance: int
    correlation: float
    turn: int


@dataclass(frozen=True)
class Pairs:
    """Pairs of places, K each, int64: `first` < `second`, the second's `turn`, and the `distance` of their hashes in bits."""

    first: Places
    second: Places
    turn: Places
    distance: Places

    def where(self, chosen: npt.NDArray[np.bool_] | slice) -> "Pairs":
        """Those that are chosen, by K flags or a slice."""
        return Pairs(self.first[chosen], self.second[chosen], self.turn[chosen], self.distance[chosen])


def turned(picture: npt.NDArray[np.generic], turn: int) -> npt.NDArray[np.generic]:
    """One of the eight turns and mirrorings of a picture, as a view.

    Args:
        picture: ... x H x W.
        turn: 0 upright; 1 adds a mirroring left to right, 2 one top to bottom, 4 swaps rows and columns before that.
    """
    if turn & 4:
        picture = picture.swapaxes(-1, -2)
    if turn & 2:
        picture = picture[..., ::-1, :]
    return picture[..., ::-1] if turn & 1 else picture


def fingerprint(grey: npt.NDArray[np.uint8]) -> Fingerprint:
    """Take the fingerprint of an image.

    Args:
        grey: H x W, uint8.

    Returns:
        Its perceptual hashes and its texture. The texture is the difference of the thumbnail from its blurred self, divided by the
        spread of that difference round about: another exposure or colour balance of the same picture leaves it as it is.
    """
    reduced = cv2.resize(halved(grey, _REDUCED_SIDE), (_REDUCED_SIDE, _REDUCED_SIDE), interpolation=cv2.INTER_AREA)
    thumbnail = cv2.resize(reduced, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = thumbnail - cv2.GaussianBlur(thumbnail, (0, 0), _DETAIL)
    spread = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _DETAIL))
    texture = np.clip(np.rint(128 + 40 * detail / (spread + _NOISE)), 0, 255).astype(np.uint8)
    return Fingerprint(_hashes(reduced), texture)


def halved(picture: RGBImage, least: int) -> RGBImage:
    """A picture, H x W or H x W x 3, halved by the mean of four pixels for as long as its shorter side keeps `least` pixels.

    What is then left to scale is less than twice as large, and that costs a fifth of scaling down in one go.
    """
    while min(picture.shape[:2]) >= 2 * least:
        height, width = picture.shape[:2]
        picture = cv2.resize(picture, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_LINEAR)
    return picture


def _hashes(reduced: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """The perceptual hashes of a square picture in all its turns, from one cosine transform.

    To mirror a picture changes the sign of every other coefficient, to swap its rows and columns transposes them.
    """
    from PIL import Image

    small = Image.fromarray(reduced).resize((_HASHED_SIDE, _HASHED_SIDE), Image.Resampling.LANCZOS)
    low = _COSINES @ np.asarray(small, np.float64) @ _COSINES.T
    blocks = np.stack([turn_of * (low.T if turn & 4 else low) for turn, turn_of in enumerate(_SIGNS)]).reshape(TURNS, -1)
    bits = np.packbits(blocks > np.median(blocks, axis=1, keepdims=True), axis=1)
    hashes: npt.NDArray[np.uint64] = bits.view(">u8")[:, 0].astype(np.uint64)
    return hashes


def _cosines() -> npt.NDArray[np.float64]:
    """The first rows of the DCT-II of _HASHED_SIDE samples, as SciPy scales it."""
    frequency, sample = np.ogrid[:_HASH_SIDE, :_HASHED_SIDE]
    cosines: npt.NDArray[np.float64] = 2 * np.cos(np.pi * frequency * (2 * sample + 1) / (2 * _HASHED_SIDE))
    return cosines


_COSINES = _cosines()
_ALTERNATING = (-1.0) ** np.arange(_HASH_SIDE)
_SIGNS = [(_ALTERNATING[:, None] if turn & 2 else 1) * (_ALTERNATING if turn & 1 else np.ones(_HASH_SIDE)) for turn in range(TURNS)]


def near_duplicates(
    hashes: Hashes, textures: Callable[[Places], Texture], *, distance: int, correlation: float
) -> list[NearDuplicate]:
    """Find all pairs of images that show the same picture, in whatever turn, size, compression, exposure or colour balance.

    Args:
        hashes: of N images, N x TURNS.
        textures: gives the textures of places, K x TEXTURE_SIDE x TEXTURE_SIDE; asked for a few hundred at a time, so that they
            need not all lie in memory.
        distance: largest Hamming distance of the hashes.
        correlation: least correlation of the textures, best over shifts of a few pixels; 0.45 or more.

    Returns:
        The pairs, each once with its likest turn, sorted by place.
    """
    found: dict[tuple[int, int], NearDuplicate] = {}
    spectra = _Spectra(len(hashes), textures)
    for some in _in_batches(pairs_within(hashes, distance)):
        for pair in _compared(some, spectra, textures, correlation):
            key = pair.first, pair.second
            if key not in found or found[key].correlation < pair.correlation:
                found[key] = pair
    return [found[key] for key in sorted(found)]


def pairs_within(hashes: Hashes, distance: int) -> Iterator[Pairs]:
    """Every pair of images of which the first's upright hash lies within a distance of one of the second's.

    Exact: faiss compares all of them, in blocks, so that memory does not grow with the square of N, even if all are alike. On one
    core: blocks are small, and threads that wait for each other lose more than they gain where the machine has other work.

    Args:
        hashes: of N images, N x T; column t is that of turn t.
        distance: largest Hamming distance, in bits.

    Returns:
        Pairs, a block at a time; a pair comes once for each turn that lies within the distance.
    """
    import faiss

    threads = faiss.omp_get_max_threads()
    upright = np.ascontiguousarray(hashes[:, :1]).view(np.uint8)
    for start in range(0, len(hashes), _INDEXED):
        block = hashes[start : start + _INDEXED]
        index = faiss.IndexBinaryFlat(64)
        index.add(np.ascontiguousarray(block.T).view(np.uint8).reshape(-1, 8))
        for query in range(0, min(start + _INDEXED, len(hashes)), _QUERIES):
            faiss.omp_set_num_threads(1)
            # faiss finds what is nearer than its radius.
            ends, bits, found = index.range_search(upright[query : query + _QUERIES], distance + 1)
            faiss.omp_set_num_threads(threads)
            first = np.repeat(np.arange(len(ends) - 1), np.diff(ends.astype(np.int64))) + query
            turn, second = np.divmod(found, len(block))
            pairs = Pairs(first, second + start, turn, bits.astype(np.int64))
            yield pairs.where(pairs.first < pairs.second)


def texture_correlation(first: Texture, second: Texture) -> float:
    """Correlation of two textures, -1 to 1, borders left out: the best over shifts of up to 3 pixels; order does not matter."""
    return max(_best_shift(first, second), _best_shift(second, first))


def _best_shift(inner: Texture, outer: Texture) -> float:
    margin = _SHIFT + 1
    template = inner[margin:-margin, margin:-margin]
    around = outer[margin - _SHIFT : _SHIFT - margin, margin - _SHIFT : _SHIFT - margin]
    scores = cv2.matchTemplate(around, template, cv2.TM_CCOEFF_NORMED)
    return float(np.nan_to_num(scores, posinf=0.0, neginf=0.0).max())


def _in_batches(blocks: Iterator[Pairs]) -> Iterator[Pairs]:
    """The same pairs, about _COMPARED at a time."""
    waiting: list[Pairs] = []
    for block in blocks:
        waiting.append(block)
        if sum(len(one.first) for one in waiting) >= _COMPARED:
            yield from _joined(waiting)
            waiting = []
    yield from _joined(waiting)


def _joined(blocks: list[Pairs]) -> Iterator[Pairs]:
    columns = zip(*((one.first, one.second, one.turn, one.distance) for one in blocks), strict=True)
    whole = Pairs(*map(np.concatenate, columns)) if blocks else Pairs(*np.empty((4, 0), np.int64))
    return (whole.where(slice(start, start + _COMPARED)) for start in range(0, len(whole.first), _COMPARED))


def _compared(
    pairs: Pairs, spectra: "_Spectra", textures: Callable[[Places], Texture], correlation: float
) -> Iterator[NearDuplicate]:
    """Those pairs whose textures correlate."""
    likely = pairs.where(spectra.correlation(pairs) >= _ROUGHLY)
    places, which = np.unique([likely.first, likely.second], return_inverse=True)
    pictures = textures(places)
    for (one, other), turn, bits in zip(which.reshape(2, -1).T, likely.turn.tolist(), likely.distance.tolist(), strict=True):
        likeness = texture_correlation(pictures[one], np.ascontiguousarray(turned(pictures[other], turn)))
        if likeness >= correlation:
            yield NearDuplicate(int(places[one]), int(places[other]), bits, likeness, turn)


class _Spectra:
    """The long waves of textures, by which many pairs are compared at once over all shifts: 1 KiB an image.

    The phase of each wave is told at the middle of the texture, so that to turn the picture turns its spectrum alike.
    """

    def __init__(self, count: int, textures: Callable[[Places], Texture]) -> None:
        waves, pixels = np.arange(-_WAVES, _WAVES + 1), np.arange(TEXTURE_SIDE) - (TEXTURE_SIDE - 1) / 2
        self._transform = np.exp(-2j * np.pi / TEXTURE_SIDE * np.outer(waves, pixels)).astype(np.complex64)
        # A real picture's waves downwards repeat those upwards, conjugated; those across come both ways.
        self._across = np.ascontiguousarray(self._transform.T).view(np.float32)
        self._kept = np.empty((count, 2, _WAVES + 1, 2 * _WAVES + 1), np.float16)
        for start in range(0, count, _QUERIES):
            places = np.arange(start, min(start + _QUERIES, count))
            half = self._half_spectra(textures(places))
            self._kept[places, 0], self._kept[places, 1] = half.real, half.imag
        down, across, shifts = waves[_WAVES:], waves, np.arange(-_SHIFT, _SHIFT + 1)
        phase = np.exp(2j * np.pi / TEXTURE_SIDE * (down[:, None, None, None] * shifts[:, None] + across[:, None, None] * shifts))
        phase[1:] *= 2
        # Real part of a product of complex numbers, as one product of real ones.
        self._shifts = np.stack([phase.real, -phase.imag], axis=2).reshape(-1, len(shifts) ** 2).astype(np.float32)

    def correlation(self, pairs: Pairs) -> npt.NDArray[np.float32]:
        """About `texture_correlation` of pairs: best over shifts, of the long waves alone."""
        first, second = self._half(pairs.first), self._half(pairs.second)
        for turn in range(1, TURNS):
            mine = pairs.turn == turn
            whole = np.concatenate([second[mine, :0:-1, ::-1].conj(), second[mine]], axis=1)
            second[mine] = turned(whole, turn)[:, _WAVES:]
        together = (first * second.conj()).reshape(len(first), -1).view(np.float32)
        best: npt.NDArray[np.float32] = (together @ self._shifts).max(axis=1)
        return best

    def _half(self, places: Places) -> npt.NDArray[np.complex64]:
        kept = self._kept[places].astype(np.float32)
        half: npt.NDArray[np.complex64] = kept[:, 0] + np.complex64(1j) * kept[:, 1]
        return half

    def _half_spectra(self, textures: Texture) -> npt.NDArray[np.complex64]:
        # Textures are real, so their rows go through one product of real matrices.
        across = (textures.reshape(-1, TEXTURE_SIDE).astype(np.float32) @ self._across).view(np.complex64)
        half: npt.NDArray[np.complex64] = self._transform[_WAVES:] @ across.reshape(len(textures), TEXTURE_SIDE, -1)
        half[:, 0, _WAVES] = 0  # the mean
        power = np.abs(half) ** 2
        energy = power[:, 0].sum(axis=1) + 2 * power[:, 1:].sum(axis=(1, 2))
        # A texture without detail has next to none, and resembles nothing.
        half /= np.sqrt(np.maximum(energy, 1))[:, None, None]
        return half
