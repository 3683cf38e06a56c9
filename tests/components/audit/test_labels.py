"""Labels that were swapped on purpose are found, most doubtful first."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.audit.findings import SHOWN, Severity
from components.audit.labels import PREDICTED, find_label_issues, read_predictions
from components.errors import TableError
from components.lesions import CODES
from tests.components.audit.validated import Validated


def predictions(validated: Validated, *, sure: float = 0.9) -> pd.DataFrame:
    """Of every image's true diagnosis: `sure`, and the rest spread over the others by chance."""
    rows = validated.rows[validated.rows["task"] == "classification"]
    truth = rows["image_id"].str.split("_").str[1]
    values = np.random.default_rng(0).uniform(0.5, 1, (len(rows), 8))
    true = np.arange(len(rows)), [CODES.index(code) for code in truth]
    values[true] = 0
    values *= (1 - sure) / values.sum(axis=1, keepdims=True)
    values[true] = sure
    return pd.DataFrame(values, columns=list(PREDICTED)).assign(image_id=rows["image_id"].tolist())


def test_swapped_labels_are_found_and_nothing_else(validated: Validated) -> None:
    table = predictions(validated)
    wrong = {"T_MEL_001_0": "NV", "T_BCC_002_1": "SCC", "T_NV_004_0": "MEL"}
    for image, label in wrong.items():
        validated.set(image, {"label": label})
    (finding,) = find_label_issues(validated.read(), table).findings
    assert set(finding.images) == set(wrong)
    assert finding.title == "A model that did not see them doubts 3 labels of 96 (3.1 %)"
    assert finding.severity is Severity.LOW
    shown = {one.images[0]: one.caption for one in finding.exhibits}
    assert shown["T_BCC_002_1"].startswith("given SCC (0.0")
    assert "suggested BCC (0." in shown["T_BCC_002_1"]
    assert finding.measures["model_accuracy"] == pytest.approx(93 / 96)


def test_the_most_doubtful_label_comes_first(validated: Validated) -> None:
    table = predictions(validated).set_index("image_id")
    for image, share in (("T_MEL_001_0", 0.04), ("T_MEL_002_0", 0.01)):
        validated.set(image, {"label": "NV"})
        table.loc[image] = [0.95 - share if code == "MEL" else share if code == "NV" else 0.05 / 6 for code in CODES]
    (finding,) = find_label_issues(validated.read(), table.reset_index()).findings
    assert list(finding.images) == ["T_MEL_002_0", "T_MEL_001_0"]


def test_labels_that_a_good_model_agrees_with_are_sound(validated: Validated) -> None:
    checked = find_label_issues(validated.read(), predictions(validated))
    assert checked.findings == []
    assert checked.sound == ["No label of the 96 images that were judged is in doubt (model accuracy 1.00)."]


def test_a_weak_model_is_no_judge_of_labels(validated: Validated) -> None:
    table = predictions(validated)
    values = table[list(PREDICTED)].to_numpy().copy()
    half = len(table) // 2
    values[:half] = np.roll(values[:half], 1, axis=1)
    table[list(PREDICTED)] = values
    checked = find_label_issues(validated.read(), table)
    assert checked.findings == []
    assert checked.unchecked[0].startswith(
        "Labels were not checked: the model whose predictions are there is right on 50 % of 96 images"
    )


def test_without_predictions_or_with_few_of_these_images_nothing_is_claimed(validated: Validated) -> None:
    data = validated.read()
    assert find_label_issues(data, None).unchecked[0].startswith("Labels were not checked: there are no out-of-fold predictions")
    few = find_label_issues(data, predictions(validated).head(20))
    assert few.unchecked == ["Labels were not checked: the predictions hold 20 of these images, fewer than 50."]


def test_a_page_shows_the_first_and_audit_json_has_all(validated: Validated) -> None:
    table = predictions(validated)
    for code in ("MEL", "BCC", "AK", "SCC", "DF"):
        for lesion in range(3):
            validated.set(f"T_{code}_{lesion:03d}_0", {"label": "NV"})
    (finding,) = find_label_issues(validated.read(), table).findings
    assert len(finding.images) > SHOWN == len(finding.exhibits)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_both_spellings_and_formats_are_read_and_rows_that_the_model_learnt_from_are_left_out(
    validated: Validated, tmp_path: Path, ending: str
) -> None:
    table = predictions(validated)
    bare = table.rename(columns={name: name.removeprefix("p_") for name in PREDICTED}).assign(split="val")
    bare.loc[0, "split"] = "train"
    path = tmp_path / f"predictions.{ending}"
    bare.to_csv(path, index=False) if ending == "csv" else bare.to_parquet(path)
    read = read_predictions(path)
    assert read["image_id"].tolist() == table["image_id"].tolist()[1:]
    assert np.allclose(read[list(PREDICTED)], table[list(PREDICTED)][1:])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop(columns="p_SCC"), "column p_SCC is missing"),
        (lambda table: table.assign(p_MEL=2.0), "T_AK_000_0: its eight numbers are no probabilities that sum to 1"),
        (lambda table: table.assign(p_MEL=np.nan), "are no probabilities"),
        (lambda table: table.assign(p_MEL="high"), "are no probabilities"),
        (lambda table: pd.concat([table, table.head(1)]), "T_AK_000_0 has two rows"),
    ],
)
def test_what_is_no_table_of_predictions_is_refused_with_its_file_and_reason(
    validated: Validated, tmp_path: Path, change: object, said: str
) -> None:
    path = tmp_path / "p.csv"
    change(predictions(validated)).to_csv(path, index=False)  # type: ignore[operator]
    with pytest.raises(TableError, match=said) as error:
        read_predictions(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["absent.csv", "absent.parquet", "damaged.parquet", "empty.csv"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    if not name.startswith("absent"):
        (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"PAR1 and no more")
    with pytest.raises(TableError, match="cannot be read"):
        read_predictions(tmp_path / name)
