"""What a step says where nobody listens to its events: a pod's log."""

from pathlib import Path

import pytest

from components.reporter import LogReporter


def test_a_log_gets_messages_figures_of_epochs_and_progress_once_a_minute(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("components.reporter.time.monotonic", lambda: now)
    reporter = LogReporter(tmp_path, "train_unet/unet_tiny")
    reporter.message("it trains on the processor, in float32")
    for done in range(1, 151):
        now += 1
        reporter.progress(done, 200, f"epoch {done // 50 + 1}/4")
    reporter.metrics({"loss": 0.123456, "val_dice": 0.9}, epoch=2)
    reporter.metrics({"parameters_total": 12.0})
    assert capsys.readouterr().out.splitlines() == [
        "train_unet/unet_tiny: it trains on the processor, in float32",
        "train_unet/unet_tiny: 0% epoch 1/4",
        "train_unet/unet_tiny: 30% epoch 2/4",
        "train_unet/unet_tiny: 60% epoch 3/4",
        "train_unet/unet_tiny: epoch 3: loss 0.1235, val_dice 0.9",
    ]
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
