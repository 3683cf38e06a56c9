"""What memory is foretold, and when a machine is refused; a pretended limit stands for a small machine."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.errors import MachineError
from components.params import TrainClassifierParams, TrainUnetParams
from components.reporter import Reporter
from components.train_classifier import registry as classifiers
from components.train_unet import registry as segmenters
from components.training import forecast
from components.training.forecast import available_memory, check_memory, features_memory, memory_to_train_in, training_memory
from tests.trainings import Data, classifier_params, make_data, open_first_feed, train_tiny, unet_params

MIB = 2**20


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each core has a batch in hand, so that the figures below are those of two."""
    monkeypatch.setattr(forecast, "usable_cores", lambda: 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return make_data(tmp_path_factory.mktemp("data"), size=(64, 64))


def check(data: Data, tmp_path: Path, params: TrainUnetParams | TrainClassifierParams, free: int) -> str:
    """What is told."""
    feed = open_first_feed(data, params)
    reporter, more = Reporter(tmp_path, "test", tmp_path / "events"), {}
    if isinstance(params, TrainUnetParams):
        model = segmenters.build(params.models[0], feed.size, params.dropout)
    else:
        classifier = classifiers.build(params.models[0], feed.size, params.dropout)
        model, more = classifier.model, {"backbone": classifier.backbone}
    check_memory(model, feed, params, reporter, available=lambda: free, **more)
    return (tmp_path / "events").read_text()


def test_a_machine_that_is_large_enough_is_told_what_it_will_take(data: Data, tmp_path: Path) -> None:
    assert "training will take about 70 MiB of memory; 1.0 GiB are free" in check(
        data, tmp_path, classifier_params(batch_size=32), 2**30
    )


def test_a_batch_that_is_too_large_is_refused_with_one_that_fits(data: Data, tmp_path: Path) -> None:
    with pytest.raises(MachineError) as raised:
        check(data, tmp_path, unet_params(batch_size=32), 100 * MIB)
    text = str(raised.value)
    assert text.startswith("unet_tiny at 64 x 64 with batches of 32 needs about 128 MiB of memory, and 100 MiB are free; ")
    fits = int(text.partition("set train_unet.batch_size to ")[2].split()[0])
    check(data, tmp_path, unet_params(batch_size=fits), 100 * MIB)
    with pytest.raises(MachineError):
        check(data, tmp_path, unet_params(batch_size=fits + 1), 100 * MIB)


def test_where_not_one_image_fits_another_way_out_is_named(data: Data, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"not even one image fits: set train_classifier\.input_size smaller"):
        check(data, tmp_path, classifier_params(frozen_epochs=0), 20 * MIB)


def test_features_that_are_too_many_are_told_apart(data: Data, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"features of phase 1 alone take .*: set train_classifier\.frozen_epochs to 0"):
        check(data, tmp_path, classifier_params(), 20 * MIB)


def test_features_of_phase_1_count(data: Data) -> None:
    backbone = classifiers.build("tiny_cnn", (64, 64), 0.3).backbone
    few, many = (features_memory(backbone, (64, 64, 3), samples, 32) for samples in (10, 10_010))
    assert many - few == 2 * 4 * 10_000 * backbone.output_shape[-1]


def test_a_batch_waits_for_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    model = segmenters.build("unet_tiny", (64, 64), 0.1)
    two = training_memory(model, (64, 64, 3), ema=False)
    monkeypatch.setattr(forecast, "usable_cores", lambda: 5)
    assert training_memory(model, (64, 64, 3), ema=False).image - two.image == 3 * 4 * (64 * 64 * 3 + 64 * 64 * 1)


@pytest.mark.parametrize(("image", "sizes"), [((64, 96, 3), (64, 96)), ((64, 96, 3), (None, None))])
def test_a_network_for_any_size_takes_what_one_for_the_size_takes(image: tuple[int, ...], sizes: Any) -> None:
    fixed = training_memory(segmenters.build("unet_tiny", (64, 96), 0.1), image, ema=False)
    assert training_memory(segmenters.build("unet_tiny", sizes, 0.1), image, ema=False) == fixed


def test_a_running_mean_takes_more() -> None:
    model = segmenters.build("unet_tiny", (64, 64), 0.1)
    with_mean, without = (training_memory(model, (64, 64, 3), ema=ema) for ema in (True, False))
    assert with_mean.fixed > without.fixed
    assert with_mean.image == without.image


@pytest.mark.parametrize(
    "files",
    [
        {"memory.max": "2000000\n", "memory.current": "900000\n", "memory.stat": "anon 500000\nfile 300000\n"},
        {
            "memory/memory.limit_in_bytes": "2000000\n",
            "memory/memory.usage_in_bytes": "900000\n",
            "memory/memory.stat": "cache 300000\nrss 500000\n",
        },
    ],
    ids=["v2", "v1"],
)
def test_a_container_has_what_its_limit_leaves(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_memory(tmp_path) == 1_400_000


def test_without_a_limit_it_is_the_machines(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(tmp_path) > 100 * MIB


def test_what_a_training_left_to_the_process_is_there_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "available_memory", lambda: 100 * MIB)
    forecast._own_memory_at_first.cache_clear()
    assert memory_to_train_in() == pytest.approx(100 * MIB, abs=MIB)
    held = np.ones(64 * MIB, np.uint8)
    assert memory_to_train_in() == pytest.approx(100 * MIB + held.nbytes, abs=2 * MIB)


def test_memory_is_told_before_the_first_step_and_minutes_after_the_first_ones(data: Data, tmp_path: Path) -> None:
    train_tiny(data, tmp_path / "out", unet_params(epochs=2))
    told = [json.loads(line) for line in (tmp_path / "out.events").read_text().splitlines()]
    lines = [line.get("text", line.get("what")) for line in told if line["kind"] in ("message", "progress")]
    assert lines[0] == "it trains on the processor, in float32"
    assert lines[1].startswith("training will take about")
    foretold = [line for line in lines if line.startswith("up to")]
    assert len(foretold) == 1
    assert re.fullmatch(r"up to [\d.:]+( s)? for 2 epochs of \d+ steps, [\d,.]+ images/s, judging on val aside", foretold[0])
