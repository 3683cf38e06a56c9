import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DatasetError, StoreError
from components.files import sha256_bytes
from components.groups import GroupLedger, ImageFile, KnownFile, Placement, assign_groups, fold_of, open_ledger, split_of
from components.lesions import Split


def halves(group: str) -> Split:
    """A split that a test can read from the group's name."""
    return Split.TEST if group.startswith("t") else Split.TRAIN


def file(image_id: str, *, patient: str | None = None, lesion: str | None = None, official: bool = False) -> ImageFile:
    return ImageFile(image_id, f"bytes of {image_id}", patient, lesion, official)


def groups_of(
    files: Sequence[ImageFile], duplicates: Sequence[tuple[int, int]] = (), known: Sequence[KnownFile] = ()
) -> dict[str, str]:
    placement = assign_groups(files, duplicates, known=known, split=halves)
    return {one.image_id: group for one, group in placement.groups.items()}


def test_a_patient_is_one_group_and_gives_it_its_name() -> None:
    files = [file("a", patient="P", lesion="L1"), file("b", patient="P", lesion="L2"), file("c", lesion="L2")]
    assert groups_of(files) == {"a": "P", "b": "P", "c": "P"}


def test_without_patient_the_lesion_is_the_group_and_without_lesion_the_image() -> None:
    assert groups_of([file("a", lesion="L"), file("b", lesion="L"), file("c")]) == {"a": "L", "b": "L", "c": "c"}


def test_an_image_that_repeats_another_joins_its_group_and_brings_its_lesion_along() -> None:
    files = [file("a", lesion="L1"), file("b", lesion="t2"), file("c", lesion="t2")]
    assert groups_of(files, [(0, 1)]) == {"a": "L1", "b": "L1", "c": "L1"}


def test_the_same_bytes_under_two_names_are_one_group() -> None:
    files = [ImageFile("a", "same", None, "L1"), ImageFile("t", "same", None, "t2")]
    assert groups_of(files) == {"a": "L1", "t": "L1"}


def test_two_files_of_one_image_are_one_group() -> None:
    files = [ImageFile("a", "whole", None, "L1"), ImageFile("a", "crop", None, None)]
    assert list(assign_groups(files, [], known=[], split=halves).groups.values()) == ["L1", "L1"]


def test_what_a_crop_shows_counts_for_its_whole_image_too() -> None:
    files = [ImageFile("a", "whole a"), ImageFile("t", "whole t"), ImageFile("a", "crop of a"), ImageFile("t", "crop of t")]
    placement = assign_groups(files, [(2, 3)], known=[], split=halves)
    assert placement.groups == dict.fromkeys(files, "a")
    assert placement.conflicts == []


def test_an_image_that_repeats_two_groups_of_different_splits_is_set_aside() -> None:
    placement = assign_groups([file("a"), file("t"), file("between")], [(0, 2), (1, 2)], known=[], split=halves)
    assert list(placement.groups.values()) == ["a", "t"]
    (conflict,) = placement.conflicts
    assert (conflict.image_id, conflict.groups, conflict.splits) == ("between", ("a", "t"), (Split.TRAIN, Split.TEST))


def test_an_image_that_repeats_two_groups_of_one_split_joins_the_first() -> None:
    assert groups_of([file("a"), file("b"), file("between")], [(0, 2), (1, 2)]) == {"a": "a", "b": "b", "between": "a"}


def test_groups_that_one_image_belongs_to_are_joined_under_the_name_of_the_older() -> None:
    files = [file("b1", lesion="L2"), file("a1", lesion="L1"), file("a2", lesion="L1"), file("c", lesion="L3")]
    placement = assign_groups(files, [(0, 2)], known=[], split=halves)
    assert list(placement.groups.values()) == ["L2", "L1", "L1", "L3"]
    assert placement.joined == {"L2": "L2", "L1": "L2", "L3": "L3"}


def test_a_patient_whose_image_is_of_another_ones_lesion_is_joined_with_it() -> None:
    files = [file("a", patient="P"), file("b", lesion="L"), file("both", patient="P", lesion="L")]
    assert assign_groups(files, [], known=[], split=halves).joined == {"P": "P", "L": "P"}


def test_a_new_image_that_joins_known_groups_moves_the_younger_alone() -> None:
    known = [KnownFile(f"bytes of {name}", name, name) for name in ("z", "m")]
    files = [file(name) for name in ("a", "m", "z")]
    assert assign_groups(files, [], known=known, split=halves).joined == {"z": "z", "m": "m", "a": "a"}
    assert assign_groups(files, [(0, 1), (0, 2)], known=known, split=halves).joined == {"z": "z", "m": "z"}


def test_an_image_that_is_set_aside_joins_nothing() -> None:
    placement = assign_groups([file("a"), file("b"), file("t"), file("between")], [(0, 3), (1, 3), (2, 3)], known=[], split=halves)
    assert placement.joined == {"a": "a", "b": "b", "t": "t"}


def test_an_image_with_an_official_split_is_never_set_aside() -> None:
    files = [file("a"), file("t"), file("between", official=True)]
    assert groups_of(files, [(0, 2), (1, 2)])["between"] == "a"


def test_what_repeats_one_copy_of_a_picture_repeats_them_all() -> None:
    # near is new and was found to repeat copy alone, which comes after it; old, with the same pixels, is placed before both.
    files = [file("t near"), ImageFile("copy", "png", pixels="one"), ImageFile("old", "jpeg", pixels="one")]
    placement = assign_groups(files, [(0, 1), (1, 2)], known=[KnownFile("jpeg", "old", "old")], split=halves)
    assert placement.groups == dict.fromkeys(files, "old")
    assert placement.conflicts == []


def test_copies_of_both_pictures_are_meant_though_one_of_each_was_compared() -> None:
    first = ImageFile("t first", "png 1", None, "t lesion", pixels="one")
    files = [file("t lesion's own", lesion="t lesion"), first, ImageFile("t second", "png 2", pixels="one")]
    files += [ImageFile("u", "png 3", pixels="two"), ImageFile("old", "jpeg", pixels="two")]
    placement = assign_groups(files, [(1, 3), (1, 2), (3, 4)], known=[KnownFile("jpeg", "old", "old")], split=halves)
    assert {one.image_id: group for one, group in placement.groups.items()} == {
        "old": "old",
        "t lesion's own": "t lesion",
        "t second": "old",
        "u": "old",
    }
    assert [conflict.image_id for conflict in placement.conflicts] == ["t first"]


def test_a_known_image_keeps_its_group_though_its_lesion_has_another_name_now() -> None:
    files = [file("a", lesion="new name"), file("b", lesion="new name")]
    known = [KnownFile("bytes of b", "old name", "b")]
    assert groups_of(files, known=known) == {"b": "old name", "a": "old name"}


def test_a_copy_of_known_bytes_under_a_new_name_cannot_push_out_what_was_there() -> None:
    # The copy would bring lesion tL, which is in test, to its train group, and so set tL's own image aside.
    files = [ImageFile("copy", "bytes of a", None, "tL"), file("a", lesion="L"), file("y", lesion="tL")]
    known = [KnownFile("bytes of a", "L", "a"), KnownFile("bytes of y", "tL", "y")]
    assert groups_of(files, known=known) == {"a": "L", "y": "tL"}


def test_a_new_crop_of_a_known_image_cannot_push_it_out() -> None:
    files = [ImageFile("a", "new crop"), file("a"), file("t")]
    known = [KnownFile("bytes of a", "a", "a"), KnownFile("bytes of t", "t", "t")]
    placement = assign_groups(files, [(0, 2)], known=known, split=halves)
    assert placement.groups == {files[1]: "a", files[2]: "t"}
    assert [conflict.image_id for conflict in placement.conflicts] == ["a"]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_in_whatever_order_data_is_added_nothing_moves_and_nothing_crosses_a_split(data: st.DataObject) -> None:
    names = st.sampled_from
    drawn = st.builds(of_a_picture, names("abcdefgh"), names("01234567"), names([None, "P", "Q"]), names([None, "K", "L", "M"]))
    files = data.draw(st.lists(drawn, min_size=2, max_size=14, unique_by=lambda one: (one.image_id, one.sha256)))
    pairs = data.draw(st.lists(st.tuples(names(files), names(files)).filter(lambda pair: pair[0] != pair[1]), max_size=8))
    waves = data.draw(st.lists(st.integers(0, 3), min_size=len(files), max_size=len(files)))
    shuffle = data.draw(st.randoms(use_true_random=False))
    known: list[KnownFile] = []
    before: dict[ImageFile, str] = {}
    joined: dict[str, str] = {}
    for wave in range(4):
        here = [one for one, arrives in zip(files, waves, strict=True) if arrives <= wave]
        shuffle.shuffle(here)
        # As they are searched: the first file of each picture stands for all.
        first = {one.picture: place for place, one in reversed(list(enumerate(here)))}
        shown = [(one.picture, other.picture) for one, other in pairs if one.picture in first and other.picture in first]
        near = [(first[one], first[other]) for one, other in shown]
        placement = assign_groups(here, near, known=known, split=thirds)
        groups = placement.groups
        assert {one: groups.get(one) for one in before} == before, "a file moved or vanished"
        told = {conflict.image_id for conflict in placement.conflicts}
        assert {one.image_id for one in here if one not in groups} == told
        same = [(one, other) for one in here for other in here if (one.picture, other.picture) in shown]
        assert_nothing_crosses(placement, same)
        known += [line for line in placement.lines if line not in known]
        assert_only_the_younger_moves(joined, placement.joined, list(dict.fromkeys(line.group_id for line in known)))
        again = assign_groups(here, near, known=known, split=thirds)
        assert again == placement, "a repeated run differs"
        before, joined = groups, placement.joined


def of_a_picture(image_id: str, sha256: str, patient: str | None, lesion: str | None) -> ImageFile:
    """A file whose picture has two other files, or one, or none."""
    pixels = {"0": "one", "1": "one", "2": "one", "3": "two", "4": "two"}.get(sha256)
    return ImageFile(image_id, sha256, patient, lesion, pixels=pixels)


def thirds(group: str) -> Split:
    return split_of(group, test_share=0.3, val_share=0.3)


def assert_nothing_crosses(placement: Placement, pairs: Sequence[tuple[ImageFile, ImageFile]]) -> None:
    """Neither a split nor a group, as they are joined."""
    groups = {one: placement.joined[group] for one, group in placement.groups.items()}
    assert all(thirds(groups[one]) == thirds(group) for one, group in placement.groups.items())
    for one, other in pairs:
        assert one not in groups or other not in groups or groups[one] == groups[other]
    for name in ("image_id", "sha256", "picture", "patient_id", "lesion_id"):
        for value in {getattr(one, name) for one in groups} - {None}:
            assert len({group for one, group in groups.items() if getattr(one, name) == value}) == 1


def assert_only_the_younger_moves(before: dict[str, str], now: dict[str, str], founded: Sequence[str]) -> None:
    for group, name in before.items():
        assert founded.index(now[group]) <= founded.index(name)
        assert now[group] == now[name], "groups that were one are two"


def drawn_files(*, bridges: bool) -> tuple[list[ImageFile], list[tuple[int, int]]]:
    """600 files and pairs of them; without bridges no file belongs to two groups."""
    draw = random.Random(5)
    files = []
    for number in range(600):
        lesion = f"L{draw.randrange(150)}" if draw.random() < 0.6 else None
        patient = f"P{draw.randrange(60)}" if bridges and draw.random() < 0.3 else None
        files.append(ImageFile(f"I{number:03d}", f"bytes of {number}", patient, lesion))
    alone = [place for place, one in enumerate(files) if one.lesion_id is None]
    pairs = [(draw.randrange(place), place) for place in (range(1, 600, 4) if bridges else alone[1::2])]
    repeating = set() if bridges else {place for _, place in pairs}
    return files, [(first, second) for first, second in pairs if first not in repeating]


def drawn_placement(*, bridges: bool) -> Placement:
    files, pairs = drawn_files(bridges=bridges)
    return assign_groups(files, pairs, known=[], split=lambda group: split_of(group, test_share=0.15, val_share=0.15))


def test_the_splits_that_were_given_out_before_groups_were_joined_are_given_out_still() -> None:
    placement = drawn_placement(bridges=True)
    assert (len(placement.groups), len(placement.conflicts)) == (535, 65)
    assert sum(name != group for group, name in placement.joined.items()) > 30
    lines = [f"{one.image_id} {split_of(group, test_share=0.15, val_share=0.15)}" for one, group in placement.groups.items()]
    assert sha256_bytes("\n".join(lines).encode())[:16] == "8fb8d9a20360386f"


def test_where_no_image_belongs_to_two_groups_folds_are_what_they_were_before_groups_were_joined() -> None:
    placement = drawn_placement(bridges=False)
    lines = [
        f"{one.image_id} {split_of(group, test_share=0.15, val_share=0.15)} {group} {fold_of(placement.joined[group], 5)}"
        for one, group in placement.groups.items()
    ]
    assert sha256_bytes("\n".join(lines).encode())[:16] == "621b7d9e78977e35"


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


FIRST, SECOND = (KnownFile(letter * 64, f"group {letter}", f"image {letter}") for letter in "ab")


def test_the_ledger_gives_back_what_it_was_given_in_that_order(tmp_path: Path) -> None:
    path = tmp_path / "home" / "groups.csv"
    odd = KnownFile("d" * 64, 'a "group", with commas', "image d")
    with open_ledger(path) as ledger:
        ledger.extend([odd, SECOND])
    with open_ledger(path) as ledger:
        ledger.extend([KnownFile(SECOND.sha256, "another group", SECOND.image_id), FIRST])
    assert GroupLedger(path).known == [odd, SECOND, FIRST]


def test_the_ledger_only_ever_grows_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    with open_ledger(path) as ledger:
        ledger.extend([SECOND])
    before = path.read_bytes()
    with open_ledger(path) as ledger:
        ledger.extend([FIRST])
    assert path.read_bytes() == before + b"a" * 64 + b",group a,image a\n"


def test_no_second_run_reads_the_ledger_until_the_first_has_written_it(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    seen: list[list[KnownFile]] = []

    def second() -> None:
        with open_ledger(path) as ledger:
            seen.append(list(ledger.known))

    with open_ledger(path) as ledger:
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.2)
        assert seen == []
        ledger.extend([FIRST])
    other.join(10)
    assert seen == [[FIRST]]


def test_a_run_that_is_killed_frees_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    program = (
        f"import os, pathlib\nfrom components.groups import open_ledger\nwith open_ledger(pathlib.Path({str(path)!r})): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    with open_ledger(path) as ledger:
        assert ledger.known == []


@pytest.mark.parametrize(
    "text", ["", "image,group\na,b\n", "sha256,group_id,image_id\nabc,g\n", "sha256,group_id,image_id\nabc,,a\n"]
)
def test_a_ledger_that_is_none_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"groups\.csv"), open_ledger(path):
        pass


def test_a_ledger_where_nothing_can_be_written_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match=r"groups\.csv"), open_ledger(tmp_path / "file" / "groups.csv"):
        pass


def test_without_a_ledger_nothing_is_kept(tmp_path: Path) -> None:
    with open_ledger(None) as ledger:
        ledger.extend([FIRST])
    assert list(tmp_path.iterdir()) == []
