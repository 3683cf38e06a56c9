"""The JSON and CSV files beside the scores, figures worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from components.colours import DIAGNOSIS_COLOURS
from components.evaluate.tables import write_answers, write_curves
from components.lesions import CODES
from components.reporter import Reporter


def certain(*codes: str) -> np.ndarray:
    return np.array([[float(code == column) for column in CODES] for code in codes], np.float32)


def test_each_answer_stands_beside_the_truth(tmp_path):
    write_answers(tmp_path, "model", ["MEL", "NV", "NV"], certain("MEL", "MEL", "NV"))
    assert (tmp_path / "plots/confusion/model.csv").read_text() == "actual,predicted\nMEL,MEL\nNV,MEL\nNV,NV\n"


def test_roc_has_the_corners_of_each_diagnosis_that_is_there(tmp_path):
    # Of two nevi one is called a melanoma: at threshold 1 MEL has rates (1/2, 1) and NV (0, 1/2).
    write_answers(tmp_path, "model", ["MEL", "NV", "NV"], certain("MEL", "MEL", "NV"))
    table = pd.read_csv(tmp_path / "plots/roc/model.csv")
    corners = {
        code: list(zip(rows["false_positive_rate"], rows["true_positive_rate"], strict=True))
        for code, rows in table.groupby("diagnosis")
    }
    assert corners == {"MEL": [(0, 0), (0.5, 1), (1, 1)], "NV": [(0, 0), (0, 0.5), (1, 1)]}


def test_one_diagnosis_alone_has_no_curve(tmp_path):
    write_answers(tmp_path, "model", ["MEL", "MEL"], certain("MEL", "NV"))
    assert not (tmp_path / "plots/roc").exists()


def test_dvc_draws_each_diagnosis_in_the_colour_that_it_has_everywhere():
    template = json.loads((Path(__file__).parents[3] / ".dvc/plots/roc.json").read_text())
    (scale,) = [layer["encoding"]["color"]["scale"] for layer in template["spec"]["layer"] if "color" in layer["encoding"]]
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == DIAGNOSIS_COLOURS


def test_curves_hold_every_epoch_and_not_how_fast_it_went(tmp_path):
    reporter = Reporter(tmp_path, "train_unet/model")
    reporter.metrics({"parameters_total": 5})
    reporter.metrics({"loss": 0.75, "images_per_second": 9.1, "val_loss": 0.5}, epoch=0)
    reporter.metrics({"loss": 0.25, "images_per_second": 8.7, "val_loss": 1 / 3}, epoch=1)
    write_curves(tmp_path, "model", tmp_path)
    assert (tmp_path / "plots/curves/model.csv").read_text() == "epoch,loss,val_loss\n1,0.75,0.5\n2,0.25,0.333333\n"


def test_a_model_whose_training_is_not_known_has_no_curves(tmp_path):
    write_curves(tmp_path, "model", tmp_path)
    assert list(tmp_path.iterdir()) == []
