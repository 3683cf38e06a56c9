import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import imagehash
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from components.images import decode_image
from components.near_duplicates import (
    TURNS,
    Fingerprint,
    NearDuplicate,
    fingerprint,
    near_duplicates,
    pairs_within,
    texture_correlation,
    turned,
)

# The defaults of params.yaml.
DISTANCE, CORRELATION = 10, 0.5

Pixels = npt.NDArray[np.uint8]


def skin(seed: int, *, size: tuple[int, int] = (180, 240), mole: tuple[int, int, int] = (120, 80, 50)) -> Pixels:
    """A round mole on unevenly lit skin with lines and pores: the outline is the same for every seed, the texture is not."""
    random = np.random.default_rng(seed)
    height, width = size
    image = np.full((height, width, 3), (215, 175, 150), np.float32)
    cv2.circle(image, (width * 2 // 5, height * 9 // 20), min(size) // 4, mole, -1, cv2.LINE_AA)
    image *= np.linspace(0.8, 1, width, dtype=np.float32)[None, :, None]
    for cells in (16, 32, 64):
        grain = random.normal(0, 6, (cells, cells)).astype(np.float32)
        image += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)[:, :, None]
    return np.clip(image, 0, 255).astype(np.uint8)


def changed(image: Pixels, how: str) -> Pixels:
    height, width = image.shape[:2]
    copies: dict[str, Callable[[], Pixels]] = {
        "compressed": lambda: decode_image(
            bytes(cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])[1]), "x.jpg"
        ),
        "halved": lambda: cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA),
        "enlarged": lambda: cv2.resize(image, (width * 2, height * 2), interpolation=cv2.INTER_CUBIC),
        "darker": lambda: (image * 0.6).astype(np.uint8),
        "another white balance": lambda: np.clip(image * np.array([1.2, 1.0, 0.8]), 0, 255).astype(np.uint8),
        "another exposure curve": lambda: (255 * (image / 255.0) ** 0.6).astype(np.uint8),
        "cropped": lambda: image[height // 50 :, width // 50 :],
        "noisy": lambda: np.clip(image + np.random.default_rng(1).normal(0, 4, image.shape), 0, 255).astype(np.uint8),
    }
    return copies[how]()


def find(pictures: Sequence[Pixels], distance: int = DISTANCE) -> list[NearDuplicate]:
    prints = [printed(picture) for picture in pictures]
    hashes, textures = np.array([one.hashes for one in prints]), np.array([one.texture for one in prints])
    return near_duplicates(hashes, lambda places: textures[places], distance=distance, correlation=CORRELATION)


def printed(picture: Pixels) -> Fingerprint:
    return fingerprint(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def turn_rgb(picture: Pixels, turn: int) -> Pixels:
    return np.ascontiguousarray(np.moveaxis(turned(np.moveaxis(picture, 2, 0), turn), 0, 2)).astype(np.uint8)


@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.parametrize(
    "how",
    ["compressed", "halved", "enlarged", "darker", "another white balance", "another exposure curve", "cropped", "noisy"],
)
def test_a_copy_is_found_whichever_way_it_is_turned_though_it_is(how: str, turn: int) -> None:
    pairs = find([skin(1), turn_rgb(changed(skin(1), how), turn), skin(2)])
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1)]
    # Turned by what the pair says, the second looks like the first.
    assert turned(turned(np.arange(6).reshape(2, 3), turn), pairs[0].turn).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_eight_turns_of_a_picture_are_those_of_numpy() -> None:
    picture = np.arange(6).reshape(2, 3)
    quarter, mirrored = [np.rot90(picture, k) for k in range(4)], [np.rot90(picture.T, k) for k in range(4)]
    ours = [turned(picture, turn).tolist() for turn in range(TURNS)]
    assert sorted(ours) == sorted(one.tolist() for one in quarter + mirrored)
    assert ours[0] == picture.tolist()
    assert ours[1] == np.fliplr(picture).tolist()
    assert ours[2] == np.flipud(picture).tolist()
    assert ours[4] == picture.T.tolist()


def test_unrelated_round_moles_of_one_size_and_place_are_no_duplicates_in_any_turn() -> None:
    pictures = [skin(seed) for seed in range(40)]
    assert find(pictures, distance=64) == []
    # What saves them is the texture: for the hash alone most look alike.
    first, *others = [int(printed(picture).hashes[0]) for picture in pictures]
    assert sum((first ^ other).bit_count() <= DISTANCE for other in others) > 10


def test_the_upright_hash_is_that_of_the_image_hash_library() -> None:
    for seed in range(20):
        grey = cv2.cvtColor(skin(seed, size=(128, 128)), cv2.COLOR_RGB2GRAY)
        assert f"{fingerprint(grey).hashes[0]:016x}" == str(imagehash.phash(Image.fromarray(grey)))


@pytest.mark.parametrize("turn", range(TURNS))
def test_the_other_hashes_are_those_of_the_turned_picture_but_for_two_bits_next_to_the_median(turn: int) -> None:
    for seed in range(20):
        grey = cv2.cvtColor(skin(seed, size=(128, 128)), cv2.COLOR_RGB2GRAY)
        theirs = int(str(imagehash.phash(Image.fromarray(np.ascontiguousarray(turned(grey, turn))))), 16)
        assert (int(fingerprint(grey).hashes[turn]) ^ theirs).bit_count() <= 2


def test_correlation_of_textures_is_one_for_the_same_and_does_not_mind_the_order() -> None:
    one, other = printed(skin(1)).texture, printed(skin(2)).texture
    assert texture_correlation(one, one) == pytest.approx(1, abs=1e-5)
    assert texture_correlation(one, other) == texture_correlation(other, one)


def test_a_texture_without_any_detail_resembles_nothing() -> None:
    flat = np.full((64, 64), 128, np.uint8)
    assert texture_correlation(flat, printed(skin(1)).texture) == pytest.approx(0, abs=1e-5)
    assert texture_correlation(flat, flat) < CORRELATION
    assert (
        near_duplicates(
            np.zeros((3, TURNS), np.uint64),
            lambda places: np.repeat(flat[None], len(places), 0),
            distance=0,
            correlation=CORRELATION,
        )
        == []
    )


def test_every_pair_within_the_distance_is_found_as_one_by_one_wherever_it_lies() -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, (4700, TURNS), dtype=np.uint64)
    # Within and across the blocks of 256 and 2,048 that are searched at once.
    for second, first, turn, bits in ((700, 3, 0, 10), (255, 254, 1, 4), (256, 255, 7, 0), (2049, 2047, 4, 3), (4699, 0, 5, 9)):
        hashes[second, turn] = hashes[first, 0] ^ np.uint64(2**bits - 1)
    hashes[6, 0] = hashes[5, 0] ^ np.uint64(2**11 - 1)  # 11 bits: too far
    found = [np.stack([p.first, p.second, p.turn, p.distance], 1) for p in pairs_within(hashes, 10)]
    expected = []
    for turn in range(TURNS):
        for start in range(0, len(hashes), 500):
            distance = np.bitwise_count(hashes[start : start + 500, :1] ^ hashes[None, :, turn])
            for one, other in zip(*np.nonzero(distance <= 10), strict=True):
                if one + start < other:
                    expected.append((int(one) + start, int(other), turn, int(distance[one, other])))
    assert sorted(map(tuple, np.concatenate(found).tolist())) == sorted(expected)
    assert len(expected) >= 5


def test_a_pair_comes_once_with_the_turn_in_which_it_looks_most_alike() -> None:
    picture = np.concatenate([skin(1), skin(1)[:, ::-1]], axis=1)  # alike upright and mirrored
    (pair,) = find([picture, changed(picture, "compressed")], distance=64)
    assert pair.turn in (0, 1)


def test_hashes_that_are_all_alike_do_not_fill_the_memory() -> None:
    program = (
        "import resource, numpy as np\n"
        "from components.near_duplicates import pairs_within\n"
        "next(pairs_within(np.zeros((600, 8), np.uint64), 10))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "pairs = sum(len(block.first) for block in pairs_within(np.zeros((3000, 8), np.uint64), 10))\n"
        "print(pairs, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    pairs, grown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert int(pairs) == 8 * 3000 * 2999 // 2
    assert int(grown) < 1024 * 1024  # KiB


def test_in_ham10000_three_pairs_of_different_lesions_show_one_and_no_other_pair_is_called_so(real_data: Path) -> None:
    # All twelve images of the six lesions, and twenty moles that look most alike to the perceptual hash; looked at side by side.
    same = [("0025226", "0030074"), ("0027027", "0029036"), ("0027636", "0027994")]
    alike = (
        "0027262 0030313 0034267 0032409 0025141 0025323 0032780 0033408 0025424 0031635 0027548 0025959 0031719 0025931 0033352"
    )
    names = [name for pair in same for name in pair] + alike.split()
    files = [real_data / "ham10000" / "images" / f"ISIC_{name}.jpg" for name in names]
    pairs = find([decode_image(file.read_bytes(), file.name) for file in files])
    assert [(names[pair.first], names[pair.second]) for pair in pairs] == same


@pytest.mark.parametrize(
    ("how", "least"), [("halved", 1.0), ("compressed", 1.0), ("darker", 1.0), ("another exposure curve", 0.98), ("cropped", 0.97)]
)
def test_copies_of_200_real_images_are_found_in_every_turn(real_data: Path, how: str, least: float) -> None:
    files = sorted((real_data / "ham10000" / "images").glob("*.jpg"))[::42][:200]
    pictures = [decode_image(file.read_bytes(), file.name) for file in files]
    copies = [turn_rgb(changed(picture, how), number % TURNS) for number, picture in enumerate(pictures)]
    found = {(pair.first, pair.second) for pair in find([*pictures, *copies])}
    assert np.mean([(place, place + len(files)) in found for place in range(len(files))]) >= least
    assert all(second - first == len(files) for first, second in found)
