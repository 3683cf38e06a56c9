"""One step over the step store: work that was planned with other code is not done, and the way out is the right one."""

from pathlib import Path

import pytest

from components.errors import StoreError
from components.params import load_params
from pipelines.execute import CLUSTER_RUN, StepCall, run_step
from pipelines.home import Home


def test_code_that_is_not_the_planned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = StepCall("ingest", load_params(profile="demo").params.ingest, {}, code="planned")
    monkeypatch.delenv(CLUSTER_RUN, raising=False)
    with pytest.raises(StoreError, match="its code changed since the run was planned; start the run again"):
        run_step(call, Home(tmp_path))
    monkeypatch.setenv(CLUSTER_RUN, "0a1b2c3d")
    with pytest.raises(
        StoreError, match=r"ingest: this pod's image was built from other code .* `make images` in that clone, push"
    ):
        run_step(call, Home(tmp_path))
