"""The official scorer on files that we wrote: it must come to what we come to."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from isic_challenge_scoring.segmentation import SegmentationScore
from PIL import Image

from components.boundary import boundary_f1
from components.evaluate.judged import measured
from components.evaluate.official import score_answers, score_masks, undecided, write_masks
from components.evaluate.segmentation import measure_segmentation
from components.lesions import CODES, Task
from components.overlap import count_overlap
from components.predictions import PROBABILITY_COLUMNS
from components.preprocess.resize import resize_mask
from components.scores import OFFICIAL_TOLERANCE, Agreement, OfficialAgreement


def answers(held: list[str], images: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    truth = [*held, *rng.choice(held, images - len(held))]
    said = rng.dirichlet(np.ones(8), images) + np.array([[code == true for code in CODES] for true in truth]) * rng.random(
        (images, 1)
    )
    table = pd.DataFrame((said / said.sum(axis=1, keepdims=True)).astype(np.float32), columns=list(PROBABILITY_COLUMNS))
    return table.assign(image_id=[f"T_{i:04d}" for i in rng.permutation(images)], label=truth)


def test_the_scorer_agrees_on_every_figure_of_a_classifier(tmp_path: Path) -> None:
    found = score_answers(tmp_path, "model", answers(list(CODES)))
    assert set(found.figures) == {
        *("balanced_accuracy", "macro_auc", "macro_average_precision"),
        *(f"{code}/{name}" for code in CODES for name in ("auc", "average_precision")),
    }
    assert found.left_out == []
    assert found.largest_difference < 1e-9
    assert 0.2 < found.figures["balanced_accuracy"].theirs < 0.9


def test_a_submission_has_isics_columns_and_a_row_an_image(tmp_path: Path) -> None:
    table = answers(list(CODES))
    score_answers(tmp_path, "model", table)
    written = pd.read_csv(tmp_path / "submission/model.csv")
    assert written.columns.tolist() == ["image", "MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"]
    assert written["image"].tolist() == table["image_id"].tolist()
    np.testing.assert_array_equal(written[list(CODES)].to_numpy(np.float32), table[list(PROBABILITY_COLUMNS)].to_numpy())
    truth = pd.read_csv(tmp_path / "scored/ground_truth.csv")
    assert truth.set_index("image").idxmax(axis="columns").tolist() == table["label"].tolist()


@pytest.mark.parametrize("held", [["MEL", "NV", "BCC"], ["NV"]])
def test_figures_of_absent_diagnoses_are_left_out(tmp_path: Path, held: list[str]) -> None:
    found = score_answers(tmp_path, "model", answers(held, 40))
    assert "SCC/auc" in found.left_out
    assert ("macro_auc" in found.left_out) == (len(held) == 1)
    assert "balanced_accuracy" in found.figures
    assert found.largest_difference < 1e-9


def test_undecided_images_are_counted_and_balanced_accuracy_is_left_out(tmp_path: Path) -> None:
    table = answers(list(CODES))
    table.loc[0, list(PROBABILITY_COLUMNS)] = np.float32(0.125)
    assert undecided(table[list(PROBABILITY_COLUMNS)].to_numpy()) == 1
    found = score_answers(tmp_path, "model", table)
    assert found.left_out == ["balanced_accuracy"]
    assert found.largest_difference < 1e-9


def test_an_image_that_the_scorer_gives_no_weight_plays_no_part(tmp_path: Path) -> None:
    table = answers(list(CODES))
    table.loc[5, "image_id"] = "ISIC_0035068"
    assert score_answers(tmp_path, "model", table).largest_difference < 1e-9
    assert len(pd.read_csv(tmp_path / "submission/model.csv")) == len(table) - 1


@pytest.mark.parametrize("named", ["ISIC_00000{:02d}", "clinic-{}"])
def test_the_scorer_agrees_on_every_figure_of_a_segmenter(tmp_path: Path, named: str) -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((12, 20, 24)) < 0.4
    said = truth ^ (rng.random((12, 20, 24)) < np.linspace(0, 0.5, 12)[:, None, None])
    truth[3], said[4], truth[5], said[5] = False, False, False, False
    rows = pd.DataFrame({"image_id": [named.format(i) for i in range(12)], "split": ["val", *["test"] * 11]})
    rows = rows.assign(height=range(60, 72), width=72)
    write_masks(tmp_path, "model", rows, truth, said)
    table = pd.DataFrame(vars(count_overlap(truth, said))).assign(boundary_f1=boundary_f1(truth, said))
    scores = measure_segmentation(measured(Task.SEGMENTATION, table).iloc[1:])
    found = score_masks(tmp_path, "model", rows["image_id"].tolist()[1:], scores)
    assert set(found.figures) == {"dice", "jaccard", "thresholded_jaccard", "sensitivity", "specificity", "global_accuracy"}
    assert found.largest_difference < 1e-12
    scored = {folder: sorted((tmp_path / "scored" / folder).iterdir()) for folder in ("model", "ground_truth")}
    assert [path.name for path in scored["model"]] == sorted(f"{image}_segmentation.png" for image in rows["image_id"][1:])
    with Image.open(scored["model"][0]) as picture:
        assert (picture.mode, picture.size) == ("L", (24, 20))
    if named.startswith("ISIC"):  # as the challenge itself finds the files
        official = SegmentationScore.from_dir(tmp_path / "scored/ground_truth", tmp_path / "scored/model")
        assert official.overall == found.figures["thresholded_jaccard"].theirs


def test_masks_that_are_submitted_are_at_the_images_own_size_and_what_the_challenge_takes(tmp_path: Path) -> None:
    own_size = (300, 400)
    down, across = np.mgrid[: own_size[0], : own_size[1]]
    lesions = np.stack([np.hypot(down - 150, (across - 200) / 1.4) < radius for radius in (40, 70, 100)])
    stored = np.stack([resize_mask(lesion.astype(np.uint8) * 255, (64, 64)) > 0 for lesion in lesions])
    rows = pd.DataFrame({"image_id": [f"ISIC_000000{i}" for i in range(3)], "split": "test", "height": 300, "width": 400})
    write_masks(tmp_path, "model", rows, stored, stored)
    truth = tmp_path / "truth"
    truth.mkdir()
    for image, lesion in zip(rows["image_id"], lesions, strict=True):
        Image.fromarray(lesion.astype(np.uint8) * 255).save(truth / f"{image}_segmentation.png")
    official = SegmentationScore.from_dir(truth, tmp_path / "submission/model")
    assert official.macro_average["dice"] > 0.985, "what is lost by the stored size alone"
    with Image.open(tmp_path / "submission/model/ISIC_0000000_segmentation.png") as mask:
        assert (mask.mode, mask.size) == ("L", (400, 300))
        assert set(np.unique(np.asarray(mask))) == {0, 255}


def test_the_largest_difference_is_that_of_the_figure_that_is_furthest_apart() -> None:
    figures = {"dice": Agreement(ours=0.8, theirs=0.8), "jaccard": Agreement(ours=0.7, theirs=0.71)}
    assert OfficialAgreement(figures=figures, left_out=[]).largest_difference == pytest.approx(0.01)
    assert OfficialAgreement(figures={}, left_out=["dice"]).largest_difference == 0 < OFFICIAL_TOLERANCE
