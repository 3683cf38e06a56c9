"""How often poisoned batches are refused, by kind and dose, and sound ones: docs/retraining.md.

`python -m tests.results batches` reports; `batches choose` does the same on the lesions on which limits were chosen. More arguments
name sources (`ham10000`, `isic`), or a folder with pictures of another kind: `X-rays=/data/x-rays`.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from components.dataset import Dataset
from components.groups import fold_of
from components.images import RGBImage, decode_image
from components.intake import copies as copies_of_test
from components.intake import labels as flipped_labels
from components.intake import missing_class as missing
from components.intake import modality as strange
from components.intake.batch import Batch, images_of
from components.intake.copies import Pair, Repeats
from components.intake.features import Described, describe, describe_rows, frozen_network, joined
from components.intake.labels import Labelled, cross_fitted
from components.lesions import CODES
from components.near_duplicates import fingerprint, near_duplicates
from components.params import IntakeParams, load_params
from pipelines.execute import StepCall, run_step
from pipelines.home import Home
from pipelines.plan import source_fingerprint
from tests.results.poison import FLIPS, copy_of, flip, other_pictures, parts_of
from tests.results.run import folder, real_data

OLD, BATCH, BATCHES, OLDS = 2500, 400, 20, 5
DOSES = (0.02, 0.05, 0.1, 0.2)
_PICTURES = 80
_SEEDS = {"choose": 1, "report": 2}


def measure_batches(which: str = "report", *names: str) -> Iterator[str]:
    """Lines of the tables: of HAM10000 and the ISIC subset, or of those that are named."""
    params = load_params().params.intake
    folders = dict(name.split("=", 1) for name in names if "=" in name)
    pool = _other(np.random.default_rng(3), {kind: Path(place) for kind, place in folders.items()})
    for name in [name for name in names if "=" not in name] or (("ham10000", "isic") if which == "report" else ("ham10000",)):
        images = RealImages.of(name)
        # Limits were chosen on one half of HAM10000 alone.
        rows = images.rows[_half(images.rows) == which] if name == "ham10000" else images.rows
        yield f"{name}: {len(rows):,} images of {rows['group_id'].nunique():,} groups, of which {OLD:,} are old and {BATCH} come"
        yield from _measure(Trials(images, rows.reset_index(drop=True), params, _SEEDS[which]), pool)


def _half(rows: pd.DataFrame) -> "pd.Series[str]":
    """Groups of one half choose limits, those of the other report."""
    return rows["group_id"].map(lambda group: ("choose", "report")[fold_of(f"half:{group}", 2)])


@dataclass(frozen=True)
class RealImages:
    """The labelled images of a source, validated, and what a frozen network sees of them."""

    dataset: Dataset
    rows: pd.DataFrame
    described: Described

    @classmethod
    def of(cls, name: str) -> "RealImages":
        """Ingested and validated, then described: once in a home."""
        home = Home(folder("batches"))
        params = load_params(data=[str(real_data() / name)], assignments=["validate.audit_fail_on=never"]).params
        salt = source_fingerprint(params.ingest, home.root)
        raw = run_step(StepCall("ingest", params.ingest, {}, salt=salt), home).out
        validated = run_step(StepCall("validate", params.section("validate"), {"raw": raw}), home).out
        dataset = Dataset(validated)
        rows = images_of(dataset.manifest)
        rows = rows[rows["label"].notna()].reset_index(drop=True)
        kept = home.root / "described" / f"{name}-{dataset.version[:12]}"
        return cls(dataset, rows, describe_rows(dataset, rows, kept, lambda done: None))

    def picture(self, row: pd.Series) -> RGBImage:
        """An image as it came."""
        return decode_image(self.dataset.image_bytes(row), str(row["image_id"]))


@dataclass(frozen=True)
class Trial:
    """One draw of old images and of a batch: places in `RealImages.rows`."""

    old: pd.DataFrame
    new: pd.DataFrame
    rng: np.random.Generator

    def batch(self, new: pd.DataFrame | None = None) -> Batch:
        """As the checks are given it."""
        none = self.old.iloc[:0]
        return Batch(self.old, self.new if new is None else new, none, none)


class Trials:
    """`BATCHES` draws, `OLDS` of old images with as many batches each."""

    def __init__(self, images: RealImages, rows: pd.DataFrame, params: IntakeParams, seed: int) -> None:
        self.images = images
        self.params = params
        self._rows = rows.assign(place=_places(images.rows, rows))
        self._seed = seed

    def draw(self) -> Iterator[tuple["Old", list[Trial]]]:
        """Old images, and the batches that come to them."""
        for number in range(OLDS):
            rng = np.random.default_rng([self._seed, number])
            old, rest = _cut(self._rows, OLD, rng)
            trials = []
            for one in range(BATCHES // OLDS):
                own = np.random.default_rng([self._seed, number, one])
                trials.append(Trial(old, _cut(rest, BATCH, own)[0], own))
            yield Old(self.images, old), trials

    def without(self, old: pd.DataFrame, code: str, rng: np.random.Generator) -> pd.DataFrame:
        """A batch in which a class is missing."""
        rest = self._rows[~self._rows["group_id"].isin(set(old["group_id"])) & (self._rows["label"] != code)]
        return _cut(rest, BATCH, rng)[0]


@dataclass(frozen=True)
class Old:
    """Old images of a draw, and what is fitted on them, once."""

    images: RealImages
    rows: pd.DataFrame

    @cached_property
    def described(self) -> Described:
        """What the network sees of them."""
        return self.images.described.rows(self.rows["place"].to_numpy())

    @cached_property
    def known(self) -> strange.Known:
        """What tells strange images from them."""
        return strange.fit(self.described, self.rows["group_id"].to_numpy(object))


def _measure(trials: Trials, pool: Mapping[str, Described]) -> Iterator[str]:
    tally: dict[tuple[str, str], list[bool]] = {}

    def count(kind: str, dose: str, refused: bool) -> None:
        tally.setdefault((kind, dose), []).append(refused)

    params = trials.params
    for old, drawn in trials.draw():
        together = pd.concat([trial.new for trial in drawn], ignore_index=True)
        said = cross_fitted(labelled(trials.images, old.rows), labelled(trials.images, together))
        for number, trial in enumerate(drawn):
            mine = slice(number * BATCH, number * BATCH + len(trial.new))
            own = flipped_labels.Said(said.classes, said.old, said.new[mine])
            images = labelled(trials.images, trial.new)
            sound = [
                ("copies", _copies(trial, Repeats([], set(), set()), params)),
                ("missing class", missing.missing_class(trial.batch(), alpha=params.alpha).refuses),
                ("modality", _strange(old, trials.images.described.rows(trial.new["place"].to_numpy()), params)),
                ("labels", _flipped(labelled(trials.images, old.rows), images, own, params)),
            ]
            for kind, refused in sound:
                count("sound", kind, refused)
            count("sound", "any check", any(refused for _, refused in sound))
            for how in FLIPS:
                for dose in DOSES:
                    wrong = Labelled(images.features, flip(images.labels, dose, how, trial.rng), images.groups, images.ids)
                    count(f"flips, {how}", f"{dose:.0%}", _flipped(labelled(trials.images, old.rows), wrong, own, params))
            for kind, pictures in pool.items():
                for dose in DOSES:
                    mixed = _mixed(trials.images.described.rows(trial.new["place"].to_numpy()), pictures, dose, trial.rng)
                    count(f"other modality, {kind}", f"{dose:.0%}", _strange(old, mixed, params))
            for code in sorted(set(old.rows["label"])):
                batch = trial.batch(trials.without(old.rows, code, trial.rng))
                count("missing class", code, missing.missing_class(batch, alpha=params.alpha).refuses)
            for what, refused in _copied(trials, trial, params):
                count(*what, refused)
        print("\n".join(_table(tally)), file=sys.stderr, flush=True)  # as far as it has come
    yield from _table(tally)


def _table(tally: Mapping[tuple[str, str], Sequence[bool]]) -> Iterator[str]:
    """Batches refused of all, Markdown: a row a kind, a column a dose; what has no dose in two columns."""
    doses = [f"{dose:.0%}" for dose in DOSES]
    batches = len(tally["sound", "any check"])
    yield f"| refused, of {batches} batches | {' | '.join(doses)} |"
    yield f"|---|{'---|' * len(doses)}"
    for kind in dict.fromkeys(kind for kind, dose in tally if dose in doses):
        yield f"| {kind} | {' | '.join(str(sum(tally[kind, dose])) for dose in doses)} |"
    for kind in dict.fromkeys(kind for kind, dose in tally if dose not in doses):
        cells = [f"{dose} {sum(refused)}" for (one, dose), refused in tally.items() if one == kind]
        yield f"{kind}: {', '.join(cells)}, of {batches} each"


def labelled(images: RealImages, rows: pd.DataFrame) -> Labelled:
    """Rows as the check of labels is given them."""
    columns = (rows[name].to_numpy(object) for name in ("label", "group_id", "image_id"))
    return Labelled(images.described.features[rows["place"].to_numpy()], *columns)


def _flipped(old: Labelled, new: Labelled, said: flipped_labels.Said, params: IntakeParams) -> bool:
    return flipped_labels.judge(old, new, said, alpha=params.alpha, seed=params.seed).refuses


def _strange(old: Old, new: Described, params: IntakeParams) -> bool:
    ids = np.arange(len(new.features)).astype(object)
    return strange.modality(old.known, new, ids, share=params.strange, alpha=params.alpha).refuses


def _copies(trial: Trial, repeats: Repeats, params: IntakeParams, new: pd.DataFrame | None = None) -> bool:
    known = set(trial.old["image_id"])
    limits = {"share": params.copies, "contradictions": params.contradictions}
    return copies_of_test.copies(trial.batch(new), None, repeats, known, **limits).refuses


def _copied(trials: Trials, trial: Trial, params: IntakeParams) -> Iterator[tuple[tuple[str, str], bool]]:
    """Batches some of whose images are copies of old test images, found as `validate` finds them."""
    test = trial.old[trial.old["split"] == "test"].reset_index(drop=True)
    prints = [fingerprint(_grey(trials.images.picture(row))) for _, row in test.iterrows()]
    most = int(max(DOSES) * BATCH)
    chosen = trial.rng.choice(len(test), most, replace=len(test) < most)
    made = [fingerprint(_grey(copy_of(trials.images.picture(test.iloc[int(place)]), trial.rng))) for place in chosen]
    validate = load_params().params.validate_
    found = near_duplicates(
        np.stack([one.hashes for one in [*prints, *made]]),
        lambda places: np.stack([[*prints, *made][int(place)].texture for place in places]),
        distance=validate.hash_distance,
        correlation=validate.correlation,
    )
    ids = [*test["image_id"], *(f"copy-{number}" for number in range(most))]
    pairs = [Pair(ids[pair.first], ids[pair.second], told=False) for pair in found]
    for dose in DOSES:
        some = round(dose * BATCH)
        copied = test.iloc[chosen[:some]].assign(image_id=ids[len(test) : len(test) + some], split="test")
        for what in ("their own labels", "other labels"):
            named = copied.assign(label=[_another(code) if what == "other labels" else code for code in copied["label"]])
            new = pd.concat([trial.new.iloc[: BATCH - some], named], ignore_index=True)
            mine = set(new["image_id"]) | set(test["image_id"])
            repeats = Repeats([pair for pair in pairs if {pair.first, pair.second} <= mine], set(), set())
            yield (f"copies of test images, {what}", f"{dose:.0%}"), _copies(trial, repeats, params, new)


def _another(code: str) -> str:
    return CODES[(CODES.index(code) + 1) % len(CODES)]


def _grey(image: RGBImage) -> RGBImage:
    grey: RGBImage = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return grey


def _mixed(new: Described, pictures: Described, dose: float, rng: np.random.Generator) -> Described:
    some = round(dose * len(new.features))
    chosen = rng.choice(len(pictures.features), some, replace=some > len(pictures.features))
    return joined([new.rows(np.arange(len(new.features) - some)), pictures.rows(chosen)])


def _other(rng: np.random.Generator, folders: Mapping[str, Path]) -> dict[str, Described]:
    see = frozen_network()
    pictures = {**other_pictures(_PICTURES, rng), **{kind: parts_of(place, _PICTURES, rng) for kind, place in folders.items()}}
    return {kind: describe(some, see) for kind, some in pictures.items()}


def _places(whole: pd.DataFrame, rows: pd.DataFrame) -> list[int]:
    places = {image: place for place, image in enumerate(whole["image_id"])}
    return [places[image] for image in rows["image_id"]]


def _cut(rows: pd.DataFrame, count: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Whole groups in random order until there are `count` images, of the last group some; and all other groups."""
    order = {group: place for place, group in enumerate(rng.permutation(rows["group_id"].unique()))}
    shuffled = rows.assign(order=rows["group_id"].map(order)).sort_values(["order", "image_id"]).drop(columns="order")
    taken = shuffled.iloc[:count].reset_index(drop=True)
    return taken, shuffled[~shuffled["group_id"].isin(set(taken["group_id"]))].reset_index(drop=True)
