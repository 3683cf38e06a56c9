import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import imagehash
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.errors import DatasetError
from components.groups import (
    Fingerprint,
    GroupLedger,
    ImageIdentity,
    assign_groups,
    fingerprint,
    fold_of,
    near_duplicates,
    open_ledger,
    split_of,
    texture_correlation,
)
from components.images import decode_image
from components.lesions import Split

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
    match how:
        case "compressed":
            return decode_image(bytes(cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])[1]), "x.jpg")
        case "halved":
            return cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        case "enlarged":
            return cv2.resize(image, (width * 2, height * 2), interpolation=cv2.INTER_CUBIC)
        case "darker":
            return (image * 0.6).astype(np.uint8)
        case "another white balance":
            return np.clip(image * np.array([1.2, 1.0, 0.8]), 0, 255).astype(np.uint8)
        case "another exposure curve":
            return (255 * (image / 255.0) ** 0.6).astype(np.uint8)
        case "cropped":
            return image[height // 50 :, width // 50 :]
        case "noisy":
            return np.clip(image + np.random.default_rng(1).normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    raise ValueError(how)


def halves(group: str) -> Split:
    """A split that a test can read from the group's name."""
    return Split.TEST if group.startswith("t") else Split.TRAIN


@pytest.mark.parametrize(
    "how",
    ["compressed", "halved", "enlarged", "darker", "another white balance", "another exposure curve", "cropped", "noisy"],
)
def test_a_copy_is_found_though_it_is(how: str) -> None:
    pictures = [skin(1), changed(skin(1), how), skin(2)]
    pairs = near_duplicates([fingerprint(p) for p in pictures], distance=DISTANCE, correlation=CORRELATION)
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1)]


def test_unrelated_round_moles_of_one_size_and_place_are_no_duplicates() -> None:
    prints = [fingerprint(skin(seed)) for seed in range(40)]
    assert near_duplicates(prints, distance=64, correlation=CORRELATION) == []
    # What saves them is the texture: for the hash alone most look alike.
    assert sum((prints[0].hash ^ other.hash).bit_count() <= DISTANCE for other in prints[1:]) > 10


def test_the_hash_is_that_of_the_image_hash_library() -> None:
    image = skin(3, size=(128, 128))
    theirs = imagehash.phash(Image.fromarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)))
    assert f"{fingerprint(image).hash:016x}" == str(theirs)


def test_correlation_of_textures_is_one_for_the_same_and_does_not_mind_the_order() -> None:
    one, other = fingerprint(skin(1)).texture, fingerprint(skin(2)).texture
    assert texture_correlation(one, one) == pytest.approx(1, abs=1e-5)
    assert texture_correlation(one, other) == texture_correlation(other, one)


def test_a_texture_without_any_detail_resembles_nothing() -> None:
    flat = np.full((64, 64), 128, np.uint8)
    assert texture_correlation(flat, fingerprint(skin(1)).texture) == pytest.approx(0, abs=1e-5)
    assert texture_correlation(flat, flat) < CORRELATION


def test_every_pair_within_the_distance_is_found_wherever_it_lies() -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 1200, dtype=np.uint64).tolist()
    for copy, original in ((700, 3), (1199, 511), (513, 512), (1025, 1024)):
        hashes[copy] = hashes[original] ^ 0b1011
    hashes[5] = hashes[6] ^ (2**12 - 1)  # 12 bits: too far
    texture = fingerprint(skin(0)).texture
    found = near_duplicates([Fingerprint(bits, texture) for bits in hashes], distance=DISTANCE, correlation=CORRELATION)
    assert [(pair.first, pair.second, pair.distance) for pair in found] == [
        (3, 700, 3),
        (511, 1199, 3),
        (512, 513, 3),
        (1024, 1025, 3),
    ]


def test_a_patient_is_one_group_and_gives_it_its_name() -> None:
    images = [ImageIdentity("a", ("1",), "P", "L1"), ImageIdentity("b", ("2",), "P", "L2"), ImageIdentity("c", ("3",), None, "L2")]
    assert assign_groups(images, [], known={}, split=halves).groups == {"a": "P", "b": "P", "c": "P"}


def test_without_patient_the_lesion_is_the_group_and_without_lesion_the_image() -> None:
    images = [ImageIdentity("a", ("1",), None, "L"), ImageIdentity("b", ("2",), None, "L"), ImageIdentity("c", ("3",))]
    assert assign_groups(images, [], known={}, split=halves).groups == {"a": "L", "b": "L", "c": "c"}


def test_an_image_that_repeats_another_joins_its_group_and_brings_its_lesion_along() -> None:
    images = [
        ImageIdentity("a", ("1",), None, "L1"),
        ImageIdentity("b", ("2",), None, "t2"),
        ImageIdentity("c", ("3",), None, "t2"),
    ]
    assert assign_groups(images, [("a", "b")], known={}, split=halves).groups == {"a": "L1", "b": "L1", "c": "L1"}


def test_the_same_bytes_under_two_names_are_one_group() -> None:
    images = [ImageIdentity("a", ("same",), None, "L1"), ImageIdentity("t", ("same",), None, "t2")]
    assert assign_groups(images, [], known={}, split=halves).groups == {"a": "L1", "t": "L1"}


def test_an_image_that_repeats_two_groups_of_different_splits_is_set_aside() -> None:
    images = [ImageIdentity("a", ("1",)), ImageIdentity("t", ("2",)), ImageIdentity("between", ("3",))]
    placement = assign_groups(images, [("a", "between"), ("t", "between")], known={}, split=halves)
    assert placement.groups == {"a": "a", "t": "t"}
    (conflict,) = placement.conflicts
    assert (conflict.image_id, conflict.groups, conflict.splits) == ("between", ("a", "t"), (Split.TRAIN, Split.TEST))


def test_an_image_that_repeats_two_groups_of_one_split_joins_the_first() -> None:
    images = [ImageIdentity("a", ("1",)), ImageIdentity("b", ("2",)), ImageIdentity("between", ("3",))]
    placement = assign_groups(images, [("a", "between"), ("b", "between")], known={}, split=halves)
    assert placement.groups["between"] == "a"
    assert placement.conflicts == []


def test_an_image_with_an_official_split_is_never_set_aside() -> None:
    images = [ImageIdentity("a", ("1",)), ImageIdentity("t", ("2",)), ImageIdentity("between", ("3",), official=True)]
    placement = assign_groups(images, [("a", "between"), ("t", "between")], known={}, split=halves)
    assert placement.groups["between"] == "a"


def test_a_known_image_keeps_its_group_though_its_lesion_has_another_name_now() -> None:
    images = [ImageIdentity("a", ("1",), None, "new name"), ImageIdentity("b", ("2",), None, "new name")]
    assert assign_groups(images, [], known={"2": "old name"}, split=halves).groups == {"b": "old name", "a": "old name"}


PEOPLE = st.lists(
    st.tuples(st.sampled_from([None, *"PQR"]), st.sampled_from([None, *"KLMN"])),
    min_size=2,
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(people=PEOPLE, data=st.data())
def test_in_whatever_order_data_is_added_nothing_moves_and_nothing_crosses_a_split(
    people: list[tuple[str | None, str | None]], data: st.DataObject
) -> None:
    images = [ImageIdentity(f"image{n}", (f"digest{n}",), *person) for n, person in enumerate(people)]
    ids = [image.image_id for image in images]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)).filter(lambda p: p[0] < p[1]), max_size=8))
    waves = data.draw(st.lists(st.integers(0, 3), min_size=len(images), max_size=len(images)))
    known: dict[str, str] = {}
    before: dict[str, str] = {}
    for wave in range(4):
        here = [image for image, arrives in zip(images, waves, strict=True) if arrives <= wave]
        names = {image.image_id for image in here}
        near = [pair for pair in pairs if names.issuperset(pair)]
        placement = assign_groups(
            data.draw(st.permutations(here)), near, known=known, split=lambda g: split_of(g, test_share=0.3, val_share=0.3)
        )
        groups = placement.groups
        assert {name: groups.get(name) for name in before} == before, "an image moved or vanished"
        split = {name: split_of(group, test_share=0.3, val_share=0.3) for name, group in groups.items()}
        assert len(groups) + len(placement.conflicts) == len(here)
        for one, other in near:
            assert one not in split or other not in split or split[one] == split[other]
        for kind in ("patient_id", "lesion_id"):
            for name in {getattr(image, kind) for image in here} - {None}:
                assert len({split[i.image_id] for i in here if getattr(i, kind) == name and i.image_id in split}) <= 1
        again = assign_groups(
            here,
            near,
            known=known | {f"digest{n[5:]}": g for n, g in groups.items()},
            split=lambda g: split_of(g, test_share=0.3, val_share=0.3),
        )
        assert again.groups == groups, "a repeated run differs"
        known |= {f"digest{name.removeprefix('image')}": group for name, group in groups.items()}
        before = groups


def test_splits_and_folds_come_from_sha_256_of_the_group() -> None:
    # printf HAM_0000550 | sha256sum begins 4971d760d74ae70c: 0x4971d760d74ae70c / 2**64 = 0.286893
    assert split_of("HAM_0000550", test_share=0.28, val_share=0.006) is Split.TRAIN
    assert split_of("HAM_0000550", test_share=0.28, val_share=0.007) is Split.VAL
    assert split_of("HAM_0000550", test_share=0.29, val_share=0.1) is Split.TEST
    # printf fold:HAM_0000550 | sha256sum begins 25f4488d8468e22c = 2734890646369788460, which leaves 0 by 5 and 1 by 7
    assert fold_of("HAM_0000550", 5) == 0
    assert fold_of("HAM_0000550", 7) == 1


def test_shares_of_the_splits_are_near_those_asked_for_and_folds_are_even_in_each() -> None:
    groups = [f"HAM_{number:07d}" for number in range(20_000)]
    splits = np.array([split_of(group, test_share=0.15, val_share=0.2) for group in groups])
    folds = np.array([fold_of(group, 5) for group in groups])
    # Three standard errors of a share are under 0.01.
    assert np.mean(splits == Split.TEST) == pytest.approx(0.15, abs=0.01)
    assert np.mean(splits == Split.VAL) == pytest.approx(0.2, abs=0.01)
    for split in Split:
        assert np.bincount(folds[splits == split], minlength=5) / np.sum(splits == split) == pytest.approx(0.2, abs=0.025)


def test_a_larger_test_share_only_adds_to_test() -> None:
    groups = [f"group{number}" for number in range(500)]
    small = {g for g in groups if split_of(g, test_share=0.1, val_share=0.1) is Split.TEST}
    large = {g for g in groups if split_of(g, test_share=0.2, val_share=0.1) is Split.TEST}
    assert small < large


def test_the_ledger_gives_back_what_it_was_given_in_that_order(tmp_path: Path) -> None:
    path = tmp_path / "home" / "groups.csv"
    with open_ledger(path) as ledger:
        ledger.extend([("b" * 64, 'a "group", with commas'), ("a" * 64, "second")])
    with open_ledger(path) as ledger:
        ledger.extend([("a" * 64, "another group"), ("c" * 64, "third")])
    assert list(GroupLedger(path).known.items()) == [
        ("b" * 64, 'a "group", with commas'),
        ("a" * 64, "second"),
        ("c" * 64, "third"),
    ]


def test_the_ledger_only_ever_grows_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    with open_ledger(path) as ledger:
        ledger.extend([("a" * 64, "first")])
    before = path.read_bytes()
    with open_ledger(path) as ledger:
        ledger.extend([("b" * 64, "second")])
    assert path.read_bytes() == before + b"b" * 64 + b",second\n"


def test_no_second_run_reads_the_ledger_until_the_first_has_written_it(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    seen: list[dict[str, str]] = []

    def second() -> None:
        with open_ledger(path) as ledger:
            seen.append(dict(ledger.known))

    with open_ledger(path) as ledger:
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.2)
        assert seen == []
        ledger.extend([("a" * 64, "first")])
    other.join(10)
    assert seen == [{"a" * 64: "first"}]


def test_a_run_that_is_killed_frees_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    program = (
        f"import os, pathlib\nfrom components.groups import open_ledger\nwith open_ledger(pathlib.Path({str(path)!r})): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    with open_ledger(path) as ledger:
        assert ledger.known == {}


@pytest.mark.parametrize("text", ["", "image,group\na,b\n", "sha256,group_id\nonly one cell\n", "sha256,group_id\nabc,\n"])
def test_a_ledger_that_is_none_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"groups\.csv"), open_ledger(path):
        pass


def test_without_a_ledger_nothing_is_kept(tmp_path: Path) -> None:
    with open_ledger(None) as ledger:
        ledger.extend([("a" * 64, "first")])
    assert list(tmp_path.iterdir()) == []


def test_in_ham10000_three_pairs_of_different_lesions_show_one_and_no_other_pair_is_called_so(real_data: Path) -> None:
    # All twelve images of the six lesions, and twenty moles that look most alike to the perceptual hash; looked at side by side.
    same = [("0025226", "0030074"), ("0027027", "0029036"), ("0027636", "0027994")]
    alike = (
        "0027262 0030313 0034267 0032409 0025141 0025323 0032780 0033408 0025424 0031635 0027548 0025959 0031719 0025931 0033352"
    )
    names = [name for pair in same for name in pair] + alike.split()
    files = [real_data / "ham10000" / "images" / f"ISIC_{name}.jpg" for name in names]
    prints = [fingerprint(decode_image(file.read_bytes(), file.name)) for file in files]
    pairs = near_duplicates(prints, distance=DISTANCE, correlation=CORRELATION)
    assert [(names[pair.first], names[pair.second]) for pair in pairs] == same
