"""The study as an MLflow run of its own, beside those of the pipeline."""

from collections.abc import Mapping
from pathlib import Path

from components.leak_study.page import write_note
from components.leak_study.scores import LEAK_FILE, LeakScores
from components.tracking import NOTE, Ledger, UsedData

ROLE = "leak study"


def publish_leak(
    ledger: Ledger, key: str, scores: LeakScores, folder: Path, params: Mapping[str, str], tags: Mapping[str, str]
) -> None:
    """Write the study down; called again, nothing is doubled.

    Args:
        ledger: MLflow.
        key: of the study's work.
        scores: what it found.
        folder: its output.
        params: flat: `classifier.epochs` → `30`.
        tags: which code ran.

    Raises:
        TrackingError: MLflow does not answer, or refuses.
    """
    worth = scores.figures["balanced_accuracy"]
    name = f"leak study: {scores.model} {worth.difference:+.3f} ({worth.low:+.3f} to {worth.high:+.3f}) balanced accuracy"
    with ledger.answering("publishing the leak study"):
        run = ledger.ensure_study_run(ROLE, key, name)
        ledger.log_params(run, params)
        ledger.log_figures(run, scores.flat())
        ledger.log_dataset(run, UsedData("leak study", scores.data_version, {"phantom": scores.phantom}))
        ledger.log_folder(run, folder / "figures", "figures")
        for file in ("leak.md", LEAK_FILE):
            ledger.client.log_artifact(run, str(folder / file))
        said = {"dermacare.data_version": scores.data_version, "dermacare.phantom": str(scores.phantom).lower()}
        ledger.set_tags(run, {NOTE: write_note(scores), **said, **tags})
        if ledger.client.get_run(run).info.status == "RUNNING":
            ledger.end(run, "FINISHED")
