import json
import time
from pathlib import Path

import pytest

from tests.bench.__main__ import write_rows
from tests.bench.row import Row, race


def test_a_higher_rate_and_a_lower_cost_are_both_better() -> None:
    assert Row.of_rates("speed", "images/s", ours=300, theirs=150).ratio == 2
    assert Row.of_costs("overhead", "s", ours=0.5, theirs=1.5).ratio == 3


def test_a_race_takes_turns_and_reports_the_median() -> None:
    calls: list[str] = []

    def ours() -> None:
        calls.append("ours")
        time.sleep(0.2 if calls.count("ours") == 3 else 0.01)  # one outlier, which a mean would show

    seconds = race(ours, lambda: calls.append("theirs"), repeats=3)
    assert calls == ["ours", "theirs", "ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert seconds[0] == pytest.approx(0.01, abs=0.05)
    assert seconds[1] < 0.01


def test_rows_are_written_as_the_list_that_scripts_read(tmp_path: Path) -> None:
    path = write_rows(tmp_path, [Row.of_rates("speed", "images/s", ours=300, theirs=150)])
    assert path == tmp_path / "bench.json"
    assert json.loads(path.read_text()) == [{"name": "speed", "ours": 300, "theirs": 150, "unit": "images/s", "ratio": 2}]
