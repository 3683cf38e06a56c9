import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from components.augment_balance import augment_balance
from components.augment_balance import reader as module
from components.augment_balance.mix import Mix
from components.augment_balance.plan import Plan, read_plan
from components.augment_balance.planning import plan_rows
from components.augment_balance.reader import Batch, TrainingReader, read_rows
from components.dataset import COLUMNS, Dataset, write_manifest, write_pixels_shard
from components.errors import DatasetError
from components.lesions import CODES, Diagnosis, Split, Task
from components.params import AugmentBalanceParams
from components.reporter import Reporter
from tests.datasets import preprocessed_dataset

COUNTS = {Diagnosis.MEL: 6, Diagnosis.NV: 12, Diagnosis.DF: 3}  # lesions, two images each


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(preprocessed_dataset(tmp_path_factory.mktemp("data") / "preprocessed", per_class=COUNTS))


def _plan(dataset: Dataset, params: AugmentBalanceParams, out: Path) -> Plan:
    out.mkdir(exist_ok=True)
    augment_balance(dataset.root, out, params, Reporter(out, "augment_balance"))
    return read_plan(out)


@pytest.fixture(scope="module")
def plan(dataset: Dataset, params: AugmentBalanceParams, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return _plan(dataset, params, tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def still_plan(dataset: Dataset, still: AugmentBalanceParams, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return _plan(dataset, still, tmp_path_factory.mktemp("still"))


def _joined(batches: Iterator[Batch]) -> Batch:
    parts = list(batches)
    return Batch(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "targets", "weights")))


def _names(images: np.ndarray, dataset: Dataset, task: Task) -> list[str]:
    """Which stored image each one is, pixel for pixel."""
    rows = dataset.rows(task)
    known = {pixels.tobytes(): name for pixels, name in zip(dataset.images(rows), rows["image_id"], strict=True)}
    return [known[np.rint(image * 255).astype(np.uint8).tobytes()] for image in images]


def test_an_epoch_shows_each_training_image_as_often_as_planned_and_no_other(dataset: Dataset, still_plan: Plan) -> None:
    # In train are 4 lesions of MEL, 8 of NV, 1 of DF, two images each: 8, 16, 2. So 2, 1 and 8 times.
    reader = TrainingReader(dataset, Task.CLASSIFICATION, still_plan, None, 5)
    shown = Counter(_names(_joined(reader.epoch(0)).images, dataset, Task.CLASSIFICATION))
    train = dataset.rows(Task.CLASSIFICATION, Split.TRAIN)
    assert shown == {row.image_id: {"MEL": 2, "NV": 1, "DF": 8}[row.label] for row in train.itertuples()}
    assert reader.samples == 48


def test_a_limit_shows_other_images_each_epoch_until_all_have_come(
    dataset: Dataset, still: AugmentBalanceParams, tmp_path: Path
) -> None:
    plan = _plan(dataset, still.model_copy(update={"max_images": 5}), tmp_path / "plan")
    reader = TrainingReader(dataset, Task.CLASSIFICATION, plan, None, 50)
    epochs = [Counter(_names(_joined(reader.epoch(number)).images, dataset, Task.CLASSIFICATION)) for number in range(16)]
    for shown in epochs:
        # 5 of 8 MEL and of 16 NV once, both DF three times (5 / 2 counts up).
        by_label = {label: [shown[name] for name in shown if f"_{label}_" in name] for label in ("MEL", "NV", "DF")}
        assert by_label == {"MEL": [1] * 5, "NV": [1] * 5, "DF": [3] * 2}
    assert reader.samples == 16
    nevi = [{name for name in shown if "_NV_" in name} for shown in epochs]
    assert len(set().union(*nevi[:4])) == 16
    # 16 epochs show 80, five times each of the 16.
    assert set(Counter(name for names in nevi for name in names).values()) == {5}
    again = TrainingReader(Dataset(dataset.root), Task.CLASSIFICATION, plan, None, 50)
    assert Counter(_names(_joined(again.epoch(7)).images, dataset, Task.CLASSIFICATION)) == epochs[7]


def test_a_limit_that_holds_nothing_back_changes_nothing(dataset: Dataset, params: AugmentBalanceParams, tmp_path: Path) -> None:
    without, limited = (_plan(dataset, params.model_copy(update={"max_images": most}), tmp_path / str(most)) for most in (None, 16))
    assert limited.classification is not None
    assert limited.classification.model_copy(update={"max_images": None}) == without.classification
    one, other = (_joined(TrainingReader(dataset, Task.CLASSIFICATION, plan, None, 9).epoch(2)) for plan in (without, limited))
    np.testing.assert_array_equal(one.images, other.images)


def test_of_a_large_source_of_masks_other_images_come_each_epoch(
    dataset: Dataset, still: AugmentBalanceParams, tmp_path: Path
) -> None:
    plan = _plan(dataset, still.model_copy(update={"max_masks": 5}), tmp_path / "plan")
    rows = dataset.rows(Task.SEGMENTATION, Split.TRAIN).assign(source=["large"] * 22 + ["small"] * 4)
    planned = plan_rows(plan, Task.SEGMENTATION, rows)
    reader = TrainingReader(dataset, Task.SEGMENTATION, planned, None, 50, rows=rows)
    assert planned.segmentation is not None
    assert reader.samples == planned.segmentation.samples == 9
    large, small = (set(rows["image_id"][rows["source"] == source]) for source in ("large", "small"))
    epochs = [_names(_joined(reader.epoch(number)).images, dataset, Task.SEGMENTATION) for number in range(22)]
    for shown in epochs:
        assert len(shown) == len(set(shown)) == 9
        assert small < set(shown)
    # 22 epochs show 110, five times each of the 22; after five epochs all have come.
    assert set().union(*epochs[:5]) == large | small
    assert {times for name, times in Counter(name for shown in epochs for name in shown).items() if name in large} == {5}


@pytest.mark.parametrize("mix", [None, Mix("mixup", 0.5), Mix("cutmix", 0.5)])
def test_an_epoch_from_a_batch_on_is_the_end_of_the_whole_epoch(mix: Mix | None, dataset: Dataset, plan: Plan) -> None:
    reader = TrainingReader(dataset, Task.CLASSIFICATION, plan, None, 10, mix=mix)
    whole, rest = list(reader.epoch(3)), list(reader.epoch(3, start=3))
    assert len(rest) == 2
    for name in ("images", "targets", "weights"):
        for one, other in zip(whole[3:], rest, strict=True):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_mixed_batches_hold_the_diagnoses_of_both(dataset: Dataset, still_plan: Plan) -> None:
    plain, mixed = (
        next(TrainingReader(dataset, Task.CLASSIFICATION, still_plan, None, 48, mix=mix).epoch(0))
        for mix in (None, Mix("mixup", 10.0))
    )
    np.testing.assert_allclose(mixed.targets.sum(axis=1), 1, rtol=1e-6)
    assert ((mixed.targets > 0).sum(axis=1) == 2).sum() > 10
    np.testing.assert_allclose(mixed.images.mean(), plain.images.mean(), atol=0.02)


def test_other_rows_than_those_of_train_can_be_learned_from(dataset: Dataset, still_plan: Plan) -> None:
    rows = dataset.rows(Task.CLASSIFICATION, Split.VAL)
    reader = TrainingReader(dataset, Task.CLASSIFICATION, still_plan, None, 50, rows=rows)
    shown = _names(_joined(reader.epoch(0)).images, dataset, Task.CLASSIFICATION)
    assert set(shown) == set(rows["image_id"])


def test_labels_are_one_hot_in_the_order_of_the_codes(dataset: Dataset, still_plan: Plan) -> None:
    batch = next(TrainingReader(dataset, Task.CLASSIFICATION, still_plan, None, 48).epoch(0))
    labels = dict(dataset.manifest[["image_id", "label"]].itertuples(index=False))
    expected = [labels[name] for name in _names(batch.images, dataset, Task.CLASSIFICATION)]
    assert [CODES[place] for place in batch.targets.argmax(axis=1)] == expected
    np.testing.assert_array_equal(np.sort(batch.targets, axis=1), [[0] * 7 + [1]] * 48)


def test_each_sample_carries_the_weight_of_its_class(dataset: Dataset, still: AugmentBalanceParams, tmp_path: Path) -> None:
    plan = _plan(dataset, still.model_copy(update={"oversample": False}), tmp_path / "plan")
    batch = _joined(TrainingReader(dataset, Task.CLASSIFICATION, plan, None, 7).epoch(0))
    # 26 images of 3 classes: 26 / (3 x 8), 26 / (3 x 16), 26 / (3 x 2)
    by_hand = {"MEL": 26 / 24, "NV": 26 / 48, "DF": 26 / 6}
    np.testing.assert_allclose(batch.weights, [by_hand[CODES[place]] for place in batch.targets.argmax(axis=1)], rtol=1e-6)


def test_batches_have_the_promised_shapes_and_the_last_smaller_one_is_kept(dataset: Dataset, plan: Plan) -> None:
    reader = TrainingReader(dataset, Task.CLASSIFICATION, plan, (16, 24), 10)
    batches = list(reader.epoch(0))
    assert [len(batch.images) for batch in batches] == [10, 10, 10, 10, 8]
    assert reader.steps == 5
    segmentation = next(TrainingReader(dataset, Task.SEGMENTATION, plan, None, 3).epoch(0))
    for array, shape in (
        (batches[0].images, (10, 16, 24, 3)),
        (batches[0].targets, (10, 8)),
        (batches[0].weights, (10,)),
        (segmentation.images, (3, 32, 32, 3)),
        (segmentation.targets, (3, 32, 32, 1)),
        (segmentation.weights, (3,)),
    ):
        assert (array.shape, array.dtype) == (shape, np.float32)
    assert 0 <= segmentation.images.min() < segmentation.images.max() <= 1
    assert set(np.unique(segmentation.targets)) == {0, 1}


@pytest.mark.parametrize("task", list(Task))
def test_a_run_that_resumes_at_an_epoch_sees_the_same_pixels(task: Task, dataset: Dataset, plan: Plan) -> None:
    whole = TrainingReader(dataset, task, plan, (20, 20), 6)
    epochs = [_joined(whole.epoch(number)) for number in range(3)]
    resumed = _joined(TrainingReader(Dataset(dataset.root), task, plan, (20, 20), 6).epoch(2))
    for name in ("images", "targets", "weights"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(epochs[2], name))
    assert not np.array_equal(epochs[1].images, epochs[2].images)


def test_the_batch_size_changes_neither_order_nor_pixels(dataset: Dataset, plan: Plan) -> None:
    small, large = (_joined(TrainingReader(dataset, Task.CLASSIFICATION, plan, None, size).epoch(1)) for size in (3, 48))
    np.testing.assert_array_equal(small.images, large.images)


def test_each_epoch_comes_in_another_order(dataset: Dataset, still_plan: Plan) -> None:
    reader = TrainingReader(dataset, Task.CLASSIFICATION, still_plan, None, 48)
    orders = [_names(next(reader.epoch(number)).images, dataset, Task.CLASSIFICATION) for number in range(3)]
    assert orders[0] != orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(orders[2])
    assert orders[0] != sorted(orders[0])


def test_repeats_of_one_image_are_drawn_apart(dataset: Dataset, plan: Plan) -> None:
    batch = _joined(TrainingReader(dataset, Task.CLASSIFICATION, plan, None, 48).epoch(0))
    dermatofibromas = batch.images[batch.targets[:, CODES.index("DF")] == 1]
    assert len(dermatofibromas) == 16
    assert len({image.tobytes() for image in dermatofibromas}) == 16


def test_image_and_mask_get_the_same_geometry(tmp_path: Path, params: AugmentBalanceParams) -> None:
    dataset = _picture_of_its_own_mask(tmp_path / "data")
    plan = _plan(dataset, params.model_copy(update={"brightness": 0}), tmp_path / "plan")
    for epoch in range(5):
        for batch in TrainingReader(dataset, Task.SEGMENTATION, plan, None, 4).epoch(epoch):
            seen, masks = batch.images[..., :1] >= 0.5, batch.targets == 1
            assert ((seen & masks).sum(axis=(1, 2, 3)) / (seen | masks).sum(axis=(1, 2, 3))).min() > 0.95
    stored = dataset.masks(dataset.rows(Task.SEGMENTATION))[..., None] == 255
    assert not np.array_equal(np.sort(stored.sum(axis=(1, 2, 3))), np.sort(masks.sum(axis=(1, 2, 3))))


def _picture_of_its_own_mask(root: Path) -> Dataset:
    """Six training rows whose image is white where its mask is, and black elsewhere."""
    masks = np.zeros((6, 64, 96), np.uint8)
    for number, mask in enumerate(masks):
        cv2.ellipse(mask, (30 + 5 * number, 34), (24, 12), 20 * number, 0, 360, 255, -1)
    shard = write_pixels_shard(root, "segmentation-drawn", np.repeat(masks[..., None], 3, axis=3), masks)
    common = dict.fromkeys(COLUMNS) | {"task": "segmentation", "source": "drawn", "sha256": "0", "split": "train", "shard": shard}
    rows = [common | {"image_id": f"T_{row}", "row": row, "width": 96, "height": 64} for row in range(6)]
    write_manifest(root, pd.DataFrame(rows, columns=list(COLUMNS)))
    return Dataset(root)


@pytest.mark.parametrize("split", list(Split))
@pytest.mark.parametrize("task", list(Task))
def test_a_split_is_read_as_it_is_stored(task: Task, split: Split, dataset: Dataset) -> None:
    rows = dataset.rows(task, split)
    batch = _joined(read_rows(dataset, task, dataset.rows(task, split), None, 5))
    np.testing.assert_array_equal(batch.images, (dataset.images(rows) / 255.0).astype(np.float32))
    np.testing.assert_array_equal(batch.weights, np.ones(len(rows), np.float32))
    if task is Task.SEGMENTATION:
        np.testing.assert_array_equal(batch.targets[..., 0], dataset.masks(rows) / 255)
    else:
        assert [CODES[place] for place in batch.targets.argmax(axis=1)] == rows["label"].tolist()


def test_images_are_brought_to_the_models_size_by_area_and_masks_by_the_nearest_pixel(dataset: Dataset) -> None:
    rows = dataset.rows(Task.SEGMENTATION, Split.VAL)
    batch = _joined(read_rows(dataset, Task.SEGMENTATION, dataset.rows(Task.SEGMENTATION, Split.VAL), (8, 8), 4))
    means = dataset.images(rows).reshape(len(rows), 8, 4, 8, 4, 3).mean(axis=(2, 4))
    assert np.abs(batch.images * 255 - means).max() <= 0.51  # stored as whole grey levels
    # Of each 4 x 4 pixels the one right below the middle.
    np.testing.assert_array_equal(batch.targets[..., 0], dataset.masks(rows)[:, 2::4, 2::4] / 255)


def test_brightness_changes_each_image_by_its_own_draw_and_no_mask(
    dataset: Dataset, still: AugmentBalanceParams, still_plan: Plan, tmp_path: Path
) -> None:
    plan = _plan(dataset, still.model_copy(update={"brightness": 0.2}), tmp_path / "plan")
    dark, bright = (_joined(TrainingReader(dataset, Task.SEGMENTATION, one, None, 6).epoch(0)) for one in (still_plan, plan))
    np.testing.assert_array_equal(bright.targets, dark.targets)
    changes = [np.median(change) for change in bright.images - dark.images]
    assert len(np.unique(np.round(changes, 6))) == len(changes)
    assert max(np.abs(changes)) <= 0.2
    expected = np.clip(dark.images + np.array(changes)[:, None, None, None], 0, 1)
    np.testing.assert_allclose(bright.images, expected, atol=1e-5)


def test_a_reader_that_is_left_early_can_be_asked_again(dataset: Dataset, plan: Plan) -> None:
    reader = TrainingReader(dataset, Task.CLASSIFICATION, plan, None, 6)
    epoch = reader.epoch(0)
    first = next(epoch)
    epoch.close()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(next(reader.epoch(0)).images, first.images)


def test_an_error_while_a_batch_is_prepared_reaches_the_trainer(tmp_path: Path, params: AugmentBalanceParams) -> None:
    dataset = Dataset(preprocessed_dataset(tmp_path / "data", per_class=3, tasks=[Task.CLASSIFICATION]))
    plan = _plan(dataset, params, tmp_path / "plan")
    for shard in (dataset.root / "shards").iterdir():
        shard.write_bytes(b"damaged")
    with pytest.raises(DatasetError, match="cannot be read"):
        list(TrainingReader(Dataset(dataset.root), Task.CLASSIFICATION, plan, None, 4).epoch(0))


def test_a_plan_of_another_dataset_is_refused(dataset: Dataset, plan: Plan, tmp_path: Path) -> None:
    other = Dataset(preprocessed_dataset(tmp_path / "other", per_class=3))
    with pytest.raises(DatasetError, match=r"data_version is .* make the plan again for this dataset"):
        TrainingReader(other, Task.CLASSIFICATION, plan, None, 4)


def test_a_task_without_a_plan_is_refused(dataset: Dataset, plan: Plan) -> None:
    with pytest.raises(DatasetError, match="segmentation is null"):
        TrainingReader(dataset, Task.SEGMENTATION, plan.model_copy(update={"segmentation": None}), None, 4)


def test_a_plan_that_leaves_out_a_diagnosis_of_train_is_refused(dataset: Dataset, plan: Plan) -> None:
    assert plan.classification is not None
    fields = {name: {k: v for k, v in getattr(plan.classification, name).items() if k != "DF"} for name in ("images", "repeats")}
    edited = plan.model_copy(update={"classification": plan.classification.model_copy(update=fields)})
    with pytest.raises(DatasetError, match="leaves out DF"):
        TrainingReader(dataset, Task.CLASSIFICATION, edited, None, 4)


def test_samples_are_listed_once_however_often_their_number_is_asked_for(
    dataset: Dataset, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[int] = []
    list_samples = TrainingReader._list_samples

    def counted(reader: TrainingReader, epoch: int) -> np.ndarray:
        listed.append(epoch)
        return list_samples(reader, epoch)

    monkeypatch.setattr(TrainingReader, "_list_samples", counted)
    reader = TrainingReader(dataset, Task.CLASSIFICATION, plan, None, 4)
    assert reader.steps == reader.steps == -(-reader.samples // 4)
    assert listed == [0]


def test_pixels_are_not_loaded_whole(tmp_path: Path, params: AugmentBalanceParams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    data = preprocessed_dataset(tmp_path / "data", per_class=12, size=(128, 128), tasks=[Task.CLASSIFICATION])
    dataset = Dataset(data)
    reader = TrainingReader(dataset, Task.CLASSIFICATION, _plan(dataset, params, tmp_path / "plan"), None, 4)
    tracemalloc.start()
    try:
        for _ in reader.epoch(0):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # 144 training images are 28 MB as float32; a batch of 4 is 0.8 MB, and two of them are in hand at a time.
    assert peak < 4e6
