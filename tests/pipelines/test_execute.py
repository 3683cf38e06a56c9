"""One step over the step store: work that was planned with other code is not done, and the way out is the right one."""

from pathlib import Path

import pytest

from components.dataset import Dataset
from components.errors import SourceError, StoreError
from components.params import load_params
from pipelines.execute import CLUSTER_RUN, StepCall, run_step
from pipelines.home import Home
from pipelines.plan import source_fingerprint
from tests.isic_folder import IsicFolder


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


def test_files_that_come_after_the_planning_do_not_lie_under_the_name_of_what_was_planned(tmp_path: Path) -> None:
    folder = IsicFolder(tmp_path / "hospital").fill()
    params, home = load_params(data=[str(folder.root)]).params.ingest, Home(tmp_path / "home")
    call = StepCall("ingest", params, {}, salt=source_fingerprint(params, home.root))
    folder.image("ISIC_MEL_new")
    folder.row("ISIC_MEL_new", "MEL")
    folder.tables()
    with pytest.raises(SourceError, match="hospital: changed since the run was planned; start the run again"):
        run_step(call, home)
    again = run_step(StepCall("ingest", params, {}, salt=source_fingerprint(params, home.root)), home)
    assert "ISIC_MEL_new" in set(Dataset(again.out).manifest["image_id"])
