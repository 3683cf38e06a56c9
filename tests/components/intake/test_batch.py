"""What a version of the data brings, on manifests of a few rows."""

import pandas as pd

from components.dataset import COLUMNS
from components.intake.batch import find_batch, find_batch_by_digests
from components.lesions import Split, Task
from components.provenance.splits import told


def manifest(*rows: tuple[str, str, str | None], task: Task = Task.CLASSIFICATION, split: Split = Split.TRAIN) -> pd.DataFrame:
    """Rows of (image, digest, label), each a lesion of its own."""
    common: dict[str, object] = {"task": task.value, "split": split.value, "source": "s", "width": 4, "height": 3, "row": 0}
    values = [
        dict.fromkeys(COLUMNS) | common | {"image_id": image, "sha256": digest, "label": label, "group_id": image, "fold": 1}
        for image, digest, label in rows
    ]
    return pd.DataFrame(values, columns=list(COLUMNS))


def test_new_replaced_relabelled_and_gone_images_are_told_apart() -> None:
    before = manifest(("a", "1", "MEL"), ("b", "2", "NV"), ("c", "3", "NV"), ("d", "4", "BCC"))
    after = manifest(("a", "1", "MEL"), ("b", "2", "MEL"), ("c", "9", "NV"), ("e", "5", "NV"))
    batch = find_batch(before, after)
    assert batch.kept[["image_id", "label"]].to_numpy().tolist() == [["a", "MEL"], ["b", "NV"]]
    assert batch.new["image_id"].tolist() == ["c", "e"]
    assert batch.relabelled[["image_id", "label"]].to_numpy().tolist() == [["b", "MEL"]]
    assert batch.gone["image_id"].tolist() == ["d"]
    assert batch.changed["image_id"].tolist() == ["c", "e", "b"]


def test_an_image_of_both_tasks_is_one_with_its_diagnosis() -> None:
    masks = manifest(("a", "1", None), ("m", "7", None), task=Task.SEGMENTATION)
    before = manifest(("a", "1", "MEL"))
    batch = find_batch(before, pd.concat([masks, before], ignore_index=True))
    assert batch.kept[["image_id", "label"]].to_numpy().tolist() == [["a", "MEL"]]
    assert batch.new["image_id"].tolist() == ["m"]
    assert batch.relabelled.empty


def test_digests_of_the_earlier_version_tell_what_is_new() -> None:
    before = manifest(("a", "1", "MEL"), ("b", "2", "NV"))
    batch = find_batch_by_digests(told(before), manifest(("a", "1", "MEL"), ("b", "9", "NV"), ("c", "3", "NV")))
    assert batch.kept["image_id"].tolist() == ["a"]
    assert batch.new["image_id"].tolist() == ["b", "c"]
    assert not batch.labels_known
