"""Each check of a batch: what it refuses, and what it lets pass, worked out by hand or drawn from known distributions."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.stats import binom

from components.errors import DatasetError
from components.intake import copies, labels, missing_class, modality
from components.intake.batch import Batch, find_batch
from components.intake.chance import lowest_share, none_of
from components.intake.copies import Pair, Repeats, read_repeats
from components.intake.features import Described
from components.intake.labels import Labelled
from components.lesions import Split
from components.validate.quarantine import Problem, write_quarantine
from tests.components.intake.test_batch import manifest

NOTHING = Repeats([], frozenset(), frozenset())


def batch_of(old: list[str], new: list[str]) -> Batch:
    """Old and new lesions with these labels, an image each."""
    before = manifest(*((f"old{place}", f"o{place}", code) for place, code in enumerate(old)))
    added = manifest(*((f"new{place}", f"n{place}", code) for place, code in enumerate(new)))
    return find_batch(before, pd.concat([before, added], ignore_index=True))


def test_chance_is_that_of_clopper_and_pearson_and_of_independent_draws() -> None:
    # Of 100, 10 or more come up in 1 of 20 cases where the share is this one.
    assert binom.sf(9, 100, lowest_share(10, 100, 0.05)) == pytest.approx(0.05)
    assert lowest_share(0, 100, 0.05) == 0
    assert none_of(0.1, 2) == pytest.approx(0.81)


def test_a_class_that_is_gone_by_more_than_chance_is_refused() -> None:
    old = ["MEL"] * 20 + ["NV"] * 80
    finding = missing_class.missing_class(batch_of(old, ["NV"] * 40), alpha=0.01)  # 0.8 ** 40 = 1.3e-4
    assert finding.refuses
    assert "the batch of 40 lesions has none of MEL (about 8 were to be expected)" in finding.sentence
    assert finding.measures["chance_of_none/MEL"] == pytest.approx(0.8**40)
    assert not missing_class.missing_class(batch_of(old, ["NV"] * 20), alpha=0.01).refuses  # 0.8 ** 20 = 1.2e-2
    assert not missing_class.missing_class(batch_of(old, ["NV"] * 39 + ["MEL"]), alpha=0.01).refuses
    assert not missing_class.missing_class(batch_of(old, []), alpha=0.01).refuses


def test_a_class_of_which_nothing_is_left_is_refused_however_small_the_batch() -> None:
    before = manifest(("a", "1", "DF"), ("b", "2", "NV"), ("c", "3", "NV"))
    gone = find_batch(before, manifest(("b", "2", "NV"), ("c", "3", "NV")))
    assert "no image of DF is left" in missing_class.missing_class(gone, alpha=0.01).sentence
    relabelled = find_batch(before, manifest(("a", "1", "NV"), ("b", "2", "NV"), ("c", "3", "NV")))
    assert missing_class.missing_class(relabelled, alpha=0.01).refuses


def test_copies_of_test_images_are_refused_where_there_are_many() -> None:
    test = manifest(*((f"t{n}", f"t{n}", "NV") for n in range(5)), split=Split.TEST)
    train = manifest(("train", "0", "NV"))
    before = pd.concat([test, train], ignore_index=True)
    new = manifest(*((f"n{n}", f"n{n}", "NV") for n in range(100)))
    batch = find_batch(before, pd.concat([before, new], ignore_index=True))

    def check(*pairs: Pair, repeats: Repeats = NOTHING) -> labels.Finding:
        found = Repeats(pairs, repeats.two_labels, repeats.set_aside)
        return copies.copies(batch, before, found, set(before["image_id"]), share=0.02, contradictions=0.005)

    assert not check().refuses
    assert not check(Pair("t0", "n0", False), Pair("n1", "t1", False)).refuses
    three = check(Pair("t0", "n0", False), Pair("n1", "t1", False), Pair("t2", "n2", False))
    assert three.refuses
    assert three.images == ("n0", "n1", "n2")
    assert not check(*(Pair("train", f"n{n}", False) for n in range(9))).refuses, "what repeats train leaks nowhere"
    assert not check(*(Pair("t0", f"n{n}", True) for n in range(9))).refuses, "the tables say that it is the same lesion"
    assert not check(Pair("t0", "t1", False), Pair("t1", "t2", False), Pair("t2", "t3", False)).refuses, "they were there before"
    assert check(repeats=Repeats([], frozenset(), frozenset({"x", "y", "z"}))).refuses


def test_copies_with_another_diagnosis_are_refused_sooner() -> None:
    before = manifest(("t0", "t0", "MEL"), ("t1", "t1", "MEL"), ("t2", "t2", "MEL"), split=Split.TEST)
    new = manifest(*((f"n{n}", f"n{n}", "NV") for n in range(100)))
    known, limits = set(before["image_id"]), {"share": 0.02, "contradictions": 0.005}
    batch = find_batch(before, pd.concat([before, new], ignore_index=True))
    one = Repeats([Pair("t0", "n0", True)], frozenset(), frozenset())
    assert not copies.copies(batch, before, one, known, **limits).refuses
    two = Repeats([Pair("t0", "n0", True), Pair("t1", "n1", False)], frozenset(), frozenset())
    finding = copies.copies(batch, before, two, known, **limits)
    assert finding.refuses
    assert "2 of them with another diagnosis" in finding.sentence
    # Of the same pixels under two labels neither is taken: the test image is lost.
    kept = find_batch(before, pd.concat([before.iloc[2:], new], ignore_index=True))
    lost = Repeats([], frozenset({"t0", "t1", "x0", "x1"}), frozenset())
    assert copies.copies(kept, before, lost, known, **limits).refuses


def test_repeats_are_read_from_what_validate_writes(tmp_path: Path) -> None:
    pair = {"first": "a", "second": "b", "distance": 0, "correlation": 1.0, "turn": 0, "told": True}
    report = {"near_duplicates": [pair], "exact_duplicates": [{"image": "c", "same_as": "a"}], "two_labels": ["d"]}
    (tmp_path / "report.json").write_text(json.dumps(report))
    torn = "belongs to group 'g' in test and to group 'h' in train, by its lesion"
    write_quarantine(tmp_path, [Problem("e", torn, "s", "group"), Problem("f", "is blank", "s", "image")])
    repeats = read_repeats(tmp_path)
    assert list(repeats.pairs) == [Pair("a", "b", True), Pair("a", "c", False)]
    assert (repeats.two_labels, repeats.set_aside) == ({"d"}, {"e"})
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(DatasetError, match="validate the data again"):
        read_repeats(tmp_path)


def described(rng: np.random.Generator, count: int, shift: float = 0.0) -> Described:
    """Vectors about a point, moved by `shift` deviations in every direction."""
    features = rng.normal(5, 1, (count, 40)) + shift
    return Described(features.astype(np.float32), (rng.normal(0, 1, (count, 26)) + shift).astype(np.float32))


def test_pictures_of_another_kind_are_refused_where_they_are_many() -> None:
    rng = np.random.default_rng(0)
    old = described(rng, 600)
    known = modality.fit(old, np.arange(600).astype(object))
    ids = np.array([f"n{place}" for place in range(200)], object)

    def check(strange: int) -> labels.Finding:
        usual, other = described(rng, 200 - strange), described(rng, strange, shift=8)
        mixed = Described(*(np.concatenate([getattr(one, part) for one in (usual, other)]) for part in ("features", "appearance")))
        return modality.modality(known, mixed, ids, share=0.05, alpha=0.01)

    assert not check(0).refuses
    many = check(40)
    assert many.refuses
    assert many.measures["strange"] >= 40
    assert set(ids[160:]) <= set(many.images)


def test_pictures_with_nothing_near_them_are_strange_though_they_lie_between_the_old_ones() -> None:
    rng = np.random.default_rng(0)

    def about(points: npt.NDArray[np.float64]) -> Described:
        features = points + rng.normal(0, 0.02, points.shape)
        return Described(features.astype(np.float32), rng.normal(0, 1, (len(points), 26)).astype(np.float32))

    # The old ones lie about the ends of each axis, the strange ones as far from the middle, but between two axes.
    ends = np.concatenate([np.eye(12), -np.eye(12)])
    known = modality.fit(about(np.tile(ends, (25, 1))), np.arange(600).astype(object))
    strange = about((ends[:12] + np.roll(ends[:12], 1, axis=1)) / np.sqrt(2))
    assert (known.refusal.strangeness_of(strange.features, strange.appearance) > known.refusal.threshold).mean() < 0.2
    assert (known.strangeness(strange) > 1).all()
    assert (known.strangeness(about(np.tile(ends, (10, 1)))) > 1).mean() < 0.08


def test_old_images_that_are_all_the_same_or_of_one_lesion_tell_nothing_strange_by_their_distance() -> None:
    rng = np.random.default_rng(0)
    old = described(rng, 30)
    assert (modality.Neighbours.fit(old.features, np.full(30, "one", object)).distance(old.features + 3) <= 2).all()
    same = modality.Neighbours.fit(np.ones((30, 40), np.float32), np.arange(30).astype(object))
    assert (same.distance(np.ones((3, 40), np.float32)) <= same.limit).all()


def labelled(rng: np.random.Generator, count: int, flipped: int = 0) -> Labelled:
    """Three classes that overlap a little, of which some labels are wrong."""
    truth = rng.choice(3, count, p=[0.2, 0.5, 0.3])
    features = rng.normal(0, 1, (count, 12))
    features[:, :3] += 2.5 * np.eye(3)[truth]
    said = truth.copy()
    said[:flipped] = (said[:flipped] + 1) % 3
    names = np.array([f"{rng.integers(1 << 40)}" for _ in range(count)], object)
    return Labelled(features.astype(np.float32), np.array(["MEL", "NV", "BKL"], object)[said], names, names)


def test_flipped_labels_are_refused_and_sound_ones_pass_whatever_their_classes() -> None:
    rng = np.random.default_rng(0)
    old = labelled(rng, 900)
    sound = [labels.labels(old, labelled(rng, 200), alpha=0.01, seed=1) for _ in range(4)]
    assert not any(finding.refuses for finding in sound)
    wrong = labels.labels(old, labelled(rng, 200, flipped=20), alpha=0.01, seed=1)
    assert wrong.refuses
    assert wrong.measures["doubtful"] > 2 * wrong.measures["expected"]
    rarer = labelled(rng, 400)
    kept = rarer.labels != "NV"
    other = Labelled(*(getattr(rarer, name)[kept] for name in ("features", "labels", "groups", "ids")))
    assert not labels.labels(old, other, alpha=0.01, seed=1).refuses


def test_a_label_of_which_too_few_are_known_is_not_judged() -> None:
    rng = np.random.default_rng(0)
    old, new = labelled(rng, 300), labelled(rng, 10)
    unknown = Labelled(new.features, np.full(10, "VASC", object), new.groups, new.ids)
    finding = labels.labels(old, unknown, alpha=0.01, seed=1)
    assert not finding.refuses
    assert "enough old images" in finding.sentence
