"""Slices: what they are cut by, what their figures are, and when one is said to lag."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from components.dataset import Dataset, read_manifest, write_manifest
from components.evaluate.dimensions import UNKNOWN, image_dimensions
from components.evaluate.slices import LEAST_LESIONS, Sliced, slice_classifier, slice_segmenter
from components.lesions import CODES, LESIONS, Diagnosis, Split, Task
from components.predictions import PROBABILITY_COLUMNS
from components.scores import Slice
from tests.datasets import preprocessed_dataset, some_measures

MALIGNANT = [LESIONS[diagnosis].malignant for diagnosis in Diagnosis]


def answers(images: int, *, blind: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Answers that tell malignant from benign well, but for the blind ones, which say anything."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 8, images)
    truth = np.array(MALIGNANT)[label]
    suspicion = 1 / (1 + np.exp(-rng.normal(np.where(blind, 0, np.where(truth, 2.0, -2.0)))))
    said = np.where(MALIGNANT, suspicion[:, None], 1 - suspicion[:, None]) / 4
    names = [f"I{place:04d}" for place in range(images)]
    table = pd.DataFrame({"image_id": names, "group_id": names, "label": np.array(CODES)[label]})
    return table.join(pd.DataFrame(said.astype(np.float32), columns=list(PROBABILITY_COLUMNS)))


def dimensions(table: pd.DataFrame, **values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, index=table["image_id"]).astype("category")


def of(sliced: Sliced, value: str) -> Slice:
    (one,) = [one for one in sliced.slices if one.value == value]
    return one


class TestClassifier:
    def test_a_slice_that_a_model_fails_lags_surely_and_its_twin_does_not(self):
        dark = np.arange(600) % 4 == 0
        table = answers(600, blind=dark)
        noise = np.array(["left", "right"])[np.random.default_rng(5).integers(0, 2, 600)]
        sliced = slice_classifier(table, dimensions(table, tone=np.where(dark, "dark", "light"), side=noise), draws=400)
        gap = sliced.largest_gap
        assert gap is not None
        assert (gap.dimension, gap.value, gap.figure, gap.slices) == ("tone", "dark", "malignant/auc", 4)
        assert 0.2 < gap.low < gap.gap < gap.high

    def test_figures_are_those_of_scikit_learn_on_the_slice(self):
        dark = np.arange(400) % 2 == 0
        table = answers(400, blind=dark)
        sliced = slice_classifier(table, dimensions(table, tone=np.where(dark, "dark", "light")), draws=50)
        malignant = table["label"].map(dict(zip(CODES, MALIGNANT, strict=True)))
        suspicion = table[[f"p_{code}" for code, bad in zip(CODES, MALIGNANT, strict=True) if bad]].sum(axis=1)
        for value, part in (("dark", dark), ("light", ~dark)):
            one = of(sliced, value)
            assert one.score == pytest.approx(roc_auc_score(malignant[part], suspicion[part]), abs=1e-6)
            assert one.interval is not None
            assert one.interval.low < one.score < one.interval.high
        assert sliced.largest_gap.gap == pytest.approx(of(sliced, "light").score - of(sliced, "dark").score)

    def test_a_diagnosis_is_set_against_all_of_the_other_kind(self):
        table = answers(600, blind=np.zeros(600, bool))
        blinded = table["label"] == "SCC"
        table = answers(600, blind=blinded.to_numpy())
        by_diagnosis = pd.DataFrame({"diagnosis": table["label"].to_numpy()}, index=table["image_id"]).astype("category")
        sliced = slice_classifier(table, by_diagnosis, draws=200)
        assert len(sliced.slices) == 8
        suspicion = table[[f"p_{code}" for code, bad in zip(CODES, MALIGNANT, strict=True) if bad]].sum(axis=1)
        benign = table["label"].isin([code for code, bad in zip(CODES, MALIGNANT, strict=True) if not bad])
        here = blinded | benign
        assert of(sliced, "SCC").score == pytest.approx(roc_auc_score(blinded[here], suspicion[here]), abs=1e-6)
        assert of(sliced, "SCC").images == blinded.sum()
        assert sliced.largest_gap.value == "SCC"

    def test_a_slice_with_too_few_lesions_of_a_kind_is_listed_and_not_judged(self):
        table = answers(300, blind=np.zeros(300, bool))
        malignant = table["label"].map(dict(zip(CODES, MALIGNANT, strict=True))).to_numpy()
        few = np.zeros(300, bool)
        few[np.flatnonzero(malignant)[: LEAST_LESIONS - 1]] = True
        few[np.flatnonzero(~malignant)[:50]] = True
        sliced = slice_classifier(table, dimensions(table, age=np.where(few, "young", "old")), draws=50)
        young = of(sliced, "young")
        assert (young.images, young.judged) == (LEAST_LESIONS - 1 + 50, False)
        assert young.score is not None
        assert sliced.largest_gap is None

    def test_lesions_are_counted_not_their_images(self):
        table = answers(400, blind=np.zeros(400, bool)).assign(group_id=[f"G{place // 8}" for place in range(400)])
        sliced = slice_classifier(table, dimensions(table, side=np.where(np.arange(400) < 200, "left", "right")), draws=50)
        assert [(one.images, one.lesions, one.judged) for one in sliced.slices] == [(200, 25, False)] * 2

    def test_what_is_not_known_is_nobodys_rest(self):
        table = answers(600, blind=np.arange(600) < 200)
        values = np.where(np.arange(600) < 200, UNKNOWN, np.where(np.arange(600) < 400, "female", "male"))
        sliced = slice_classifier(table, dimensions(table, sex=values), draws=50)
        assert not of(sliced, UNKNOWN).judged
        assert sliced.largest_gap.gap == pytest.approx(abs(of(sliced, "male").score - of(sliced, "female").score))

    def test_a_slice_of_one_kind_has_no_figure(self):
        table = answers(200, blind=np.zeros(200, bool))
        nevi = (table["label"] == "NV").to_numpy()
        one = of(slice_classifier(table, dimensions(table, site=np.where(nevi, "a", "b")), draws=50), "a")
        assert (one.score, one.interval, one.judged) == (None, None, False)

    def test_intervals_hold_for_all_slices_at_once(self):
        """Of models that fail no slice, about 5 % or fewer are said to, however many slices are looked at."""
        false_alarms = 0
        for seed in range(24):
            table = answers(400, blind=np.zeros(400, bool), seed=seed)
            rng = np.random.default_rng(1000 + seed)
            values = {f"d{place}": np.array(["a", "b"])[rng.integers(0, 2, 400)] for place in range(10)}
            false_alarms += slice_classifier(table, dimensions(table, **values), draws=100, seed=seed).largest_gap.low > 0
        assert false_alarms <= 4  # of 24; without correction 20 slices would give some 10


def test_a_segmenter_is_judged_by_its_mean_dice():
    rng = np.random.default_rng(0)
    hairy = np.arange(200) % 2 == 0
    table = pd.DataFrame({"image_id": [f"I{place}" for place in range(200)], "dice": rng.uniform(0.8, 1, 200) - 0.3 * hairy})
    table["group_id"] = table["image_id"]
    sliced = slice_segmenter(table, dimensions(table, hair=np.where(hairy, "much", "little")), draws=100)
    assert of(sliced, "much").score == pytest.approx(table["dice"][hairy].mean())
    assert sliced.largest_gap.figure == "dice"
    assert sliced.largest_gap.gap == pytest.approx(0.3, abs=0.03)
    assert sliced.largest_gap.low > 0.2


class TestDimensions:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return preprocessed_dataset(tmp_path, per_class=6)

    def test_bands_and_groups_are_fixed_and_ordered(self, root):
        manifest = read_manifest(root)
        place = np.arange(len(manifest))
        manifest["age_approx"] = np.array([25.0, 30.0, 69.9, 70.0, np.nan])[place % 5]
        manifest["skin_tone"] = np.array([60.0, -40.0, np.nan])[place % 3]
        write_manifest(root, manifest)
        table = image_dimensions(Dataset(root), Task.CLASSIFICATION)
        test = manifest[(manifest["task"] == "classification") & (manifest["split"] == "test")].set_index("image_id")
        assert table.index.tolist() == Dataset(root).rows(Task.CLASSIFICATION, Split.TEST)["image_id"].tolist()
        names = {25.0: "under 30", 30.0: "30 to 49", 69.9: "50 to 69", 70.0: "70 and over"}
        assert (table["age"] == test["age_approx"].map(names).fillna(UNKNOWN).reindex(table.index)).all()
        assert table["age"].cat.categories.tolist() == [*names.values(), UNKNOWN]
        tones = test["skin_tone"].map({60.0: "very light", -40.0: "dark"}).fillna(UNKNOWN)
        assert (table["skin tone"] == tones.reindex(table.index)).all()
        assert table["diagnosis"].cat.categories.tolist() == [*CODES, UNKNOWN]

    def test_what_does_not_differ_or_is_not_measured_is_left_out(self, root):
        table = image_dimensions(Dataset(root), Task.CLASSIFICATION)
        assert set(table.columns) == {"diagnosis", "age", "sex", "site"}

    def test_hair_and_lesion_size_come_from_what_validate_measured(self, root):
        measures = some_measures(root).drop_duplicates("image_id").set_index("image_id")
        table = image_dimensions(Dataset(root), Task.CLASSIFICATION)
        named = {0.01: "under 3 %", 0.05: "3 to 10 %", 0.2: "10 % and more"}
        assert table["hair"].tolist() == [named[share] for share in measures["hair_share"][table.index]]
        sized = {0.01: "under 10 %", 0.05: "under 10 %", 0.2: "10 to 30 %"}
        assert table["lesion size"].tolist() == [sized[share] for share in measures["hair_share"][table.index]]

    def test_the_size_of_a_lesion_in_another_crop_of_the_image_is_not_known(self, root):
        some_measures(root)
        manifest = read_manifest(root)
        masks = manifest["task"] == "segmentation"
        cropped = set(Dataset(root).rows(Task.CLASSIFICATION, Split.TEST)["image_id"][:3])
        manifest.loc[masks & manifest["image_id"].isin(cropped), "width"] += 1
        manifest.loc[masks & manifest["image_id"].isin(cropped), "sha256"] = "0" * 64
        write_manifest(root, manifest)
        table = image_dimensions(Dataset(root), Task.CLASSIFICATION)
        assert set(table.index[table["lesion size"] == UNKNOWN]) == cropped
        assert UNKNOWN not in set(image_dimensions(Dataset(root), Task.SEGMENTATION)["lesion size"])
