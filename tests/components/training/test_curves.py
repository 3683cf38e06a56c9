"""The figure of a training says which epoch was best, and of how many images."""

from pathlib import Path

from components.reporter import Reporter
from components.training.curves import Epoch, draw_curves, read_epochs


def test_epochs_are_read_without_the_values_that_belong_to_none(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path, "test")
    reporter.metrics({"parameters_total": 3})
    reporter.metrics({"loss": 0.5}, epoch=0)
    assert read_epochs(tmp_path / "metrics.jsonl") == [Epoch(0, {"loss": 0.5})]


def test_the_epochs_of_one_member_are_read_alone(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path, "test")
    for prefix, loss in (("", 0.5), ("member-01/", 0.4)):
        reporter.metrics({f"{prefix}parameters_total": 3})
        reporter.metrics({f"{prefix}loss": loss}, epoch=0)
    assert read_epochs(tmp_path / "metrics.jsonl") == [Epoch(0, {"loss": 0.5})]
    assert read_epochs(tmp_path / "metrics.jsonl", "member-01/") == [Epoch(0, {"loss": 0.4})]


def test_the_title_names_the_best_epoch_and_the_footnote_stays() -> None:
    losses = (0.9, 0.4, 0.6)
    epochs = [
        Epoch(number, {"loss": 0.5, "val_loss": loss, "dice": 0.7, "val_dice": 0.6, "learning_rate": 0.001})
        for number, loss in enumerate(losses)
    ]
    figure = draw_curves("unet_plain", epochs, "12 images")
    assert figure.get_suptitle() == "unet_plain: the loss on val is least after epoch 2 of 3, 0.400"
    assert figure.get_supxlabel() == "12 images"
    loss, score, rate = figure.axes
    assert [line.get_label() for line in loss.lines[:2]] == ["loss", "val loss"]
    assert [line.get_label() for line in score.lines[:2]] == ["dice", "val dice"]
    assert list(rate.lines[0].get_ydata()) == [0.001] * 3
