"""Features of the frozen backbone: computed once, kept in whole files, shuffled anew each epoch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from components.augment_balance.reader import Batch
from components.train_classifier.features import FeatureBatches, compute_features

BATCHES = 70  # of one image each: two whole files and a part


def batches(start: int) -> Iterator[Batch]:
    for number in range(start, BATCHES):
        image = np.full((1, 2, 2, 3), number, np.float32)
        yield Batch(image, np.eye(8, dtype=np.float32)[[number % 8]], np.float32([number / 10]))


def mean_colour(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(1, 2))


def test_features_keep_the_order_of_the_images_with_their_targets_and_weights(tmp_path: Path) -> None:
    samples = compute_features(batches, mean_colour, tmp_path, "train", lambda done: None)
    assert samples.images[:, 0].tolist() == list(range(BATCHES))
    assert samples.targets.argmax(axis=1).tolist() == [number % 8 for number in range(BATCHES)]
    np.testing.assert_allclose(samples.weights, np.arange(BATCHES) / 10, rtol=1e-6)


def test_a_second_attempt_computes_only_what_the_first_left_out(tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    seen: list[float] = []

    def backbone(images: np.ndarray) -> np.ndarray:
        seen.append(images[0, 0, 0, 0])
        if len(seen) == 40:
            raise KilledError
        return mean_colour(images)

    with pytest.raises(KilledError):
        compute_features(batches, backbone, tmp_path, "train", lambda done: None)
    seen[:] = [0.0] * 40
    samples = compute_features(batches, backbone, tmp_path, "train", lambda done: None)
    assert seen[40:] == list(range(32, BATCHES))
    assert samples.images[:, 0].tolist() == list(range(BATCHES))


def test_images_whose_features_are_kept_are_not_read_again(tmp_path: Path) -> None:
    whole = compute_features(batches, mean_colour, tmp_path, "train", lambda done: None)
    (tmp_path / "train-0001.npz").unlink()
    read: list[float] = []

    def watched(start: int) -> Iterator[Batch]:
        for batch in batches(start):
            read.append(batch.images[0, 0, 0, 0])
            yield batch

    again = compute_features(watched, mean_colour, tmp_path, "train", lambda done: None)
    assert read == list(range(32, 64))
    np.testing.assert_array_equal(again.images, whole.images)
    np.testing.assert_array_equal(again.targets, whole.targets)
    np.testing.assert_array_equal(again.weights, whole.weights)


def test_a_damaged_file_is_computed_again(tmp_path: Path) -> None:
    whole = compute_features(batches, mean_colour, tmp_path, "train", lambda done: None)
    path = tmp_path / "train-0001.npz"
    content = path.read_bytes()
    path.write_bytes(content[:400] + bytes([content[400] ^ 1]) + content[401:])
    told: list[int] = []
    again = compute_features(batches, mean_colour, tmp_path, "train", told.append)
    assert told == list(range(33, 65))
    np.testing.assert_array_equal(again.images, whole.images)
    assert path.read_bytes() == content


def test_progress_counts_batches(tmp_path: Path) -> None:
    told: list[int] = []
    compute_features(batches, mean_colour, tmp_path, "train", told.append)
    assert told == list(range(1, BATCHES + 1))


def test_every_epoch_shows_each_sample_once_in_an_order_of_its_own(tmp_path: Path) -> None:
    shuffled = FeatureBatches(compute_features(batches, mean_colour, tmp_path, "train", lambda done: None), 32, seed=1)
    first, second, again = (
        np.concatenate([batch.images[:, 0] for batch in shuffled.epoch(number)]).tolist() for number in (0, 1, 0)
    )
    assert first == again
    assert first != second
    assert sorted(first) == sorted(second) == list(range(BATCHES))
    assert shuffled.steps == len(list(shuffled.epoch(0))) == 3


def test_a_sample_keeps_its_target_when_it_is_shuffled(tmp_path: Path) -> None:
    shuffled = FeatureBatches(compute_features(batches, mean_colour, tmp_path, "train", lambda done: None), 32, seed=1)
    for batch in shuffled.epoch(0):
        assert batch.targets.argmax(axis=1).tolist() == [int(value) % 8 for value in batch.images[:, 0]]
