"""Phantoms: drawn skin that must behave as photographed skin does."""

import csv
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagehash
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from components.errors import SourceError
from components.files import sha256_file
from components.ingest.phantom import draw_phantoms, drawing
from components.ingest.phantom.photograph import draw_patch, take_photograph
from components.ingest.phantom.roster import roster
from components.lesions import CODES, Diagnosis
from components.params import PhantomParams

Array = npt.NDArray[np.float32]

FEW = PhantomParams(lesions_per_class=2, images_per_lesion=2, size=(48, 64), seed=7)
MANY = PhantomParams(lesions_per_class=24, images_per_lesion=2, size=(96, 128), seed=2019)


def silent(done: int, total: int) -> None:
    """Nobody listens."""


def digests(folder: Path) -> dict[str, str]:
    """Every file of a folder, by its path there, and the digest of what it holds."""
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@dataclass
class Phantoms:
    """A drawn folder, read with nothing of ours; all lists in the order of the table of diagnoses."""

    root: Path
    ids: list[str]
    labels: list[str]
    lesions: list[str]
    images: list[npt.NDArray[np.uint8]]
    masks: list[npt.NDArray[np.uint8]]
    hairs: list[npt.NDArray[np.uint8]]
    metadata: list[dict[str, str]]

    @classmethod
    def read(cls, root: Path) -> "Phantoms":
        rows = table(root / "ISIC_2019_Training_GroundTruth.csv")
        ids = [row["image"] for row in rows]
        metadata = table(root / "ISIC_2019_Training_Metadata.csv")
        assert [row["image"] for row in metadata] == ids
        return cls(
            root=root,
            ids=ids,
            labels=[next(code for code in CODES if row[code] == "1.0") for row in rows],
            lesions=[row["lesion_id"] or row["image"] for row in metadata],
            images=[np.array(Image.open(root / "images" / f"{name}.jpg")) for name in ids],
            masks=[np.array(Image.open(root / "masks" / f"{name}_segmentation.png")) for name in ids],
            hairs=[np.array(Image.open(root / "hair" / f"{name}_hair.png")) for name in ids],
            metadata=metadata,
        )

    def lab(self, number: int) -> Array:
        """An image in CIELAB."""
        lab: Array = cv2.cvtColor(self.images[number].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        return lab

    def hairless(self, number: int) -> npt.NDArray[np.bool_]:
        """Pixels that are no hair and not beside one."""
        return cv2.dilate(self.hairs[number], np.ones((5, 5))) == 0

    def skin_around(self, number: int) -> npt.NDArray[np.bool_]:
        """Hairless skin near the lesion, but not so near that its soft border reaches it."""
        mask = self.masks[number]
        far, near = (cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))) for side in (23, 9))
        return (far > 0) & (near == 0) & self.hairless(number)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    draw_phantoms(folder, FEW, silent)
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Phantoms:
    folder = tmp_path_factory.mktemp("many")
    draw_phantoms(folder, MANY, silent)
    return Phantoms.read(folder)


# The same bytes, always.


def test_a_seed_gives_the_same_bytes_whatever_the_number_of_threads(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(drawing, "usable_cores", lambda: 5)
    draw_phantoms(tmp_path, FEW, lambda done, total: calls.append((done, total)))
    assert digests(tmp_path) == digests(few)
    images = len(list(tmp_path.glob("images/*.jpg")))
    assert calls[-1] == (images, images)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


def test_another_seed_gives_other_pictures_of_everything(few: Path, tmp_path: Path) -> None:
    draw_phantoms(tmp_path, FEW.model_copy(update={"seed": 8}), silent)
    shared = set(digests(tmp_path).values()) & set(digests(few).values())
    bald = sha256_file(next(path for path in few.glob("hair/*") if not np.array(Image.open(path)).any()))
    assert shared <= {bald}


def test_more_lesions_and_images_add_files_and_change_none(few: Path, tmp_path: Path) -> None:
    draw_phantoms(tmp_path, FEW.model_copy(update={"lesions_per_class": 3, "images_per_lesion": 3}), silent)
    before, after = digests(few), digests(tmp_path)
    pictures = {name: digest for name, digest in before.items() if "/" in name}
    assert {name: after[name] for name in pictures} == pictures
    assert len(after) > len(before)


def test_a_drawing_that_was_interrupted_goes_on_to_the_same_bytes(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(drawing, "usable_cores", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        draw_phantoms(tmp_path, FEW, interrupt)
    assert not list(tmp_path.glob("*.csv"))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    assert 0 < len(kept) < len(list(few.rglob("*.jpg")))
    draw_phantoms(tmp_path, FEW, silent)
    assert digests(tmp_path) == digests(few)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_folder_with_phantoms_of_other_parameters_is_refused(few: Path) -> None:
    with pytest.raises(SourceError, match=r"phantom\.json: the folder holds phantoms of other parameters; draw into an empty"):
        draw_phantoms(few, FEW.model_copy(update={"seed": 8}), silent)


# ISIC's layout.


def test_every_image_has_a_lesion_mask_and_a_hair_mask_of_its_size_and_a_row_in_both_tables(many: Phantoms) -> None:
    for folder, ending in (("images", ".jpg"), ("masks", "_segmentation.png"), ("hair", "_hair.png")):
        assert sorted(path.name for path in (many.root / folder).iterdir()) == sorted(name + ending for name in many.ids)
    for image, mask, hair in zip(many.images, many.masks, many.hairs, strict=True):
        assert (image.shape, mask.shape, hair.shape) == ((96, 128, 3), (96, 128), (96, 128))
        assert set(np.unique(mask)) == {0, 255}
        assert set(np.unique(hair)) <= {0, 255}


def test_each_diagnosis_has_as_many_lesions_and_ids_do_not_tell_which(many: Phantoms) -> None:
    lesions = roster(MANY)
    assert Counter(lesion.diagnosis for lesion in lesions) == dict.fromkeys(Diagnosis, 24)
    # Were ids given out class by class, or in turn, the remainder by eight would tell the class.
    remainders = Counter((lesion.diagnosis, lesion.number % 8) for lesion in lesions)
    assert max(remainders.values()) < 12
    assert {lesion.lesion_id for lesion in lesions} - {""} == {row["lesion_id"] for row in many.metadata} - {""}


def test_cells_are_spelt_and_left_empty_as_isic_does(many: Phantoms) -> None:
    columns = {name: [row[name] for row in many.metadata] for name in many.metadata[0]}
    assert list(columns) == ["image", "age_approx", "anatom_site_general", "lesion_id", "sex"]
    assert {int(age) for age in columns["age_approx"] if age} <= set(range(5, 90, 5))
    assert set(columns["sex"]) == {"male", "female", ""}
    assert {"head/neck", "lower extremity", "anterior torso", "posterior torso", ""} <= set(columns["anatom_site_general"])
    for name in ("age_approx", "anatom_site_general", "lesion_id", "sex"):
        assert 0 < columns[name].count("") < 0.2 * len(many.ids)


def test_images_of_one_lesion_share_all_but_their_pixels(many: Phantoms) -> None:
    views: dict[str, list[int]] = {}
    for number, lesion in enumerate(many.lesions):
        views.setdefault(lesion, []).append(number)
    several = [numbers for numbers in views.values() if len(numbers) > 1]
    assert len(several) > 50
    alike = []
    for first, second in several:
        assert many.labels[first] == many.labels[second]
        assert many.metadata[first] == many.metadata[second] | {"image": many.ids[first]}
        assert np.abs(many.images[first].astype(int) - many.images[second]).mean() > 2
        alike.append(correlation(many.images[first], many.images[second]))
    strangers = [correlation(many.images[a], many.images[b]) for (a, _), (_, b) in itertools.pairwise(several)]
    assert np.median(alike) > np.median(strangers) + 0.2


# What the pictures show.


def test_the_lesion_is_where_its_mask_is(many: Phantoms) -> None:
    for number, mask in enumerate(many.masks):
        lab, skin = many.lab(number), many.skin_around(number)
        bare = lab[skin].mean(axis=0)
        apart = np.linalg.norm(lab[(mask > 0) & many.hairless(number)] - bare, axis=1)
        # 2.3 is a just noticeable difference in CIELAB (Mahy 1994).
        assert apart.mean() > 2 * 2.3, many.ids[number]
        assert apart.mean() > 1.3 * np.linalg.norm(lab[skin] - bare, axis=1).mean(), many.ids[number]
        assert 0.05 < (mask > 0).mean() < 0.6, many.ids[number]


def test_moving_the_mask_off_the_lesion_is_seen(many: Phantoms) -> None:
    """Each pixel's class by colour, nearest mean of the two: the mask agrees better in its place than moved by a tenth."""
    here, moved = [], []
    for number, mask in enumerate(many.masks):
        lab, inside = many.lab(number), mask > 0
        means = [lab[where & many.hairless(number)].mean(axis=0) for where in (inside, many.skin_around(number))]
        nearer = np.linalg.norm(lab - means[0], axis=2) < np.linalg.norm(lab - means[1], axis=2)
        here.append((nearer == inside)[many.hairless(number)].mean())
        moved.append((nearer == np.roll(inside, 12, axis=1))[many.hairless(number)].mean())
    assert np.mean(np.array(here) > np.array(moved)) > 0.95


def test_hair_is_where_its_mask_is(many: Phantoms) -> None:
    contrasts = []
    for image, hair in zip(many.images, many.hairs, strict=True):
        if (hair > 0).mean() > 0.01:
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            thin = cv2.absdiff(grey, cv2.medianBlur(grey, 15)).astype(float)
            contrasts.append(thin[hair > 0].mean() / np.median(thin[cv2.dilate(hair, np.ones((3, 3))) == 0]))
    assert len(contrasts) > 50
    assert np.median(contrasts) > 4
    assert min(contrasts) > 1.2
    assert 0.3 < np.mean([not hair.any() for hair in many.hairs]) < 0.7


def test_skin_tones_cover_the_whole_range_in_every_diagnosis(many: Phantoms) -> None:
    """Individual typology angle of the skin around the lesion, measured on the picture; limits of Chardon 1991."""
    tones = []
    for number in range(len(many.ids)):
        lightness, _, yellow = np.median(many.lab(number)[many.skin_around(number)], axis=0)
        tones.append(float(np.degrees(np.arctan2(lightness - 50, yellow))))
    counts, _ = np.histogram(tones, [-90, -30, 10, 28, 41, 55, 90])
    assert (counts >= 0.05 * len(tones)).all(), counts
    for code in CODES:
        own = [tone for tone, label in zip(tones, many.labels, strict=True) if label == code]
        assert min(own) < -30
        assert max(own) > 55


def thumbnail(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """64 x 64, grey, flat."""
    return cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (64, 64), interpolation=cv2.INTER_AREA).astype(float).ravel()


def correlation(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Of two pictures' thumbnails."""
    return float(np.corrcoef(thumbnail(first), thumbnail(second))[0, 1])


def test_different_lesions_are_no_near_duplicates(many: Phantoms) -> None:
    lesions = np.array(many.lesions)
    strangers = lesions[:, None] != lesions
    correlations = np.corrcoef([thumbnail(image) for image in many.images])
    assert correlations[strangers].max() < 0.95
    bits = np.array([imagehash.phash(Image.fromarray(image)).hash.ravel() for image in many.images])
    distances = (bits[:, None] != bits).sum(axis=2)
    assert (distances[strangers] <= 8).sum() // 2 <= 2


@pytest.mark.parametrize("space", ["RGB", "HSV"])
def test_colour_alone_does_not_tell_the_diagnoses_apart(many: Phantoms, space: str) -> None:
    top = [180, 256, 256] if space == "HSV" else [256] * 3
    ranges = [limit for high in top for limit in (0, high)]
    pictures = [cv2.cvtColor(image, cv2.COLOR_RGB2HSV) if space == "HSV" else image for image in many.images]
    histograms = np.array([cv2.calcHist([picture], [0, 1, 2], None, [8] * 3, ranges).ravel() for picture in pictures])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = GroupKFold(4)
    guesses = cross_val_predict(model, histograms, many.labels, groups=many.lesions, cv=folds)
    assert 1 / 8 < balanced_accuracy_score(many.labels, guesses) < 0.8


@pytest.mark.parametrize("size", [(16, 16), (96, 128), (450, 600), (256, 256), (16, 400), (300, 90)])
def test_other_sizes_work(size: tuple[int, int]) -> None:
    patch = draw_patch(Diagnosis.BCC, 30, size, np.random.default_rng(3))
    picture = take_photograph(patch, size, np.random.default_rng(4))
    assert picture.image.shape == (*size, 3)
    assert picture.mask.shape == picture.hair.shape == size
    assert 0.05 < (picture.mask > 0).mean() < 0.6


@pytest.mark.parametrize("diagnosis", list(Diagnosis))
def test_the_size_changes_little_but_the_resolution(diagnosis: Diagnosis) -> None:
    small, large = (
        take_photograph(draw_patch(diagnosis, 30, size, np.random.default_rng(3)), size, np.random.default_rng(4)).mask > 0
        for size in ((96, 128), (192, 256))
    )
    shrunk = cv2.resize(large.astype(np.float32), (128, 96), interpolation=cv2.INTER_AREA) > 0.5
    assert (small & shrunk).sum() / (small | shrunk).sum() > 0.85
