"""The pipeline as a cluster runs it, as nearly as a machine without one can: `python -m tests.e2e.pods FOLDER [failing | nightly]`.

The graph is drawn for a cluster, exit handler and dealt-out preprocessing included, and kfp's local runner carries it out in
subprocesses. As pods do, they find nothing of a run in their home, hand outputs on through kfp's folders, and share the step store
on S3. Prints JSON: how each step whose work was done here came by its output.
"""

import json
import os
import sys
from pathlib import Path

from kfp import local

from components.params import load_params
from pipelines import pods
from pipelines.cluster_record import tell
from pipelines.plan import source_fingerprint
from pipelines.training import arguments, draw
from tests.e2e.conftest import TINY


def main(folder: Path, kind: str) -> None:
    """Run it; a run that fails raises RuntimeError, as kfp has it. What runs nightly was drawn without a look at its sources."""
    pods._HOME = os.environ["DERMACARE_HOME"]
    sets = [f"{key}={value}" for key, value in TINY.items()] + ["cluster.preprocess_tasks=3", "cluster.every_step.retries=0"]
    params = load_params(profile="demo", assignments=sets).params
    fingerprints = {"failing": "of another list:" + "0" * 64, "nightly": ""}
    fingerprint = fingerprints[kind] if kind else source_fingerprint(params.ingest, folder)
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "kfp"), enable_caching=False)
    drawn = draw(
        params,
        parallel=False,
        preprocess_tasks=params.cluster.preprocess_tasks,
        cluster=params.cluster,
        scheduled=kind == "nightly",
    )
    drawn(**arguments(params, fingerprint=fingerprint, run=tell(params, profile="demo", command="dermacare run")))
    records = sorted(Path(os.environ["DERMACARE_HOME"]).glob("steps/*/*/record.json"))
    made = {file.parent.parent.name: json.loads(file.read_text())["outcome"] for file in records}
    print(json.dumps({"made": made}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:] or [""])
