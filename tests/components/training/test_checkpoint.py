"""Checkpoints: whole, without pickle, two kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from components.training.checkpoint import Checkpoint, Checkpoints, Standing, rewind_metrics
from components.training.schedule import EarlyStopping, ReduceLROnPlateau


def checkpoint(epoch: int) -> Checkpoint:
    rate, stopping = ReduceLROnPlateau(1e-3 / 3, 0.5, 3), EarlyStopping(8)
    standing = Standing("all layers", 1, epoch, 0, (0.1, 1 / 3, 7), rate, stopping, {"val_dice": 1 / 3}, ((0.3, 1 / 3, 0.1),))
    seed = np.array([epoch, 7], np.uint32)
    model, best = [np.full((2, 3), epoch, np.float32), seed], [np.zeros((2, 3), np.float32), seed]
    return Checkpoint(standing, model, [np.float32(epoch)], [np.ones(2, np.float32)], best)


def fail(text: str) -> None:
    raise AssertionError(text)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(checkpoint(4))
    back = kept.newest(fail)
    assert back is not None
    assert back.standing == checkpoint(4).standing
    for group in ("model", "optimiser", "average", "best"):
        for ours, theirs in zip(getattr(back, group), getattr(checkpoint(4), group), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


def test_the_first_state_of_a_schedule_survives_although_its_best_is_infinite(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(checkpoint(1))
    standing = kept.standing(fail)
    assert standing is not None
    assert standing.stopping.best == np.inf


def test_numpy_reads_it_without_pickle(tmp_path: Path) -> None:
    Checkpoints(tmp_path).save(checkpoint(1))
    with np.load(tmp_path / "checkpoints/0001-00000.npz", allow_pickle=False) as arrays:
        assert arrays["model/00000"].tolist() == [[1, 1, 1], [1, 1, 1]]


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for epoch in (9, 10, 11):
        kept.save(checkpoint(epoch))
    assert sorted(path.name for path in kept.folder.iterdir()) == ["0010-00000.npz", "0011-00000.npz"]


@pytest.mark.parametrize("damage", [b"", b"no archive", b"long enough to hold a digest, but no archive of arrays"])
def test_a_damaged_one_is_told_of_and_the_one_before_it_is_taken(tmp_path: Path, damage: bytes) -> None:
    kept, told = Checkpoints(tmp_path), list[str]()
    for epoch in (1, 2):
        kept.save(checkpoint(epoch))
    (kept.folder / "0002-00000.npz").write_bytes(damage)
    standing = kept.standing(told.append)
    assert standing is not None
    assert standing.epoch == 1
    assert told[0].startswith("0002-00000.npz: its bytes are not those that were written")
    assert told[0].endswith("going on from the one before it")


def test_whichever_byte_changes_the_one_before_it_is_taken(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for epoch in (1, 2):
        kept.save(checkpoint(epoch))
    path = kept.folder / "0002-00000.npz"
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        standing = kept.standing(lambda text: None)
        assert standing is not None
        assert standing.epoch == 1, place
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        standing = kept.standing(lambda text: None)
        assert standing is not None
        assert standing.epoch == 1, length


def test_where_no_other_is_left_it_says_so(tmp_path: Path) -> None:
    kept, told = Checkpoints(tmp_path), list[str]()
    kept.save(checkpoint(1))
    (kept.folder / "0001-00000.npz").write_bytes(b"damaged")
    assert kept.newest(told.append) is None
    assert told[0].endswith("no other is left, so training starts anew")


def test_without_any_there_is_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path).newest(fail) is None
    Checkpoints(tmp_path).remove()


def test_metrics_are_rewound_to_the_epochs_of_the_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"epoch": epoch, "values": {"loss": 1}}) for epoch in (None, 0, 1, 2)]
    file.write_text("\n".join(lines) + '\n{"epoch": 3, "val')
    rewind_metrics(file, 2)
    assert file.read_text() == f"{lines[1]}\n{lines[2]}\n"


def test_metrics_of_other_members_stay(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    first, second = (
        [json.dumps({"epoch": epoch, "values": {f"{prefix}loss": 1}}) for epoch in (None, 0, 1)] for prefix in ("", "member-01/")
    )
    file.write_text("\n".join(first + second) + "\n")
    rewind_metrics(file, 1, "member-01/")
    assert file.read_text().splitlines() == [*first, second[1]]
