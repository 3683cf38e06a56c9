"""$DERMACARE_HOME: where all state lies, and what lies where in it.

steps/           the step store
runs/<id>/       run.json · events.jsonl · logs/ · kfp/ (what Kubeflow's local runner writes)
mlflow.db        MLflow's database (runs, registered models)
ledger.db        the ledger of what serves, where $DERMACARE_LEDGER names no other database
mlartifacts/     MLflow's files
kfp-cache/       Kubeflow's local cache
reproduce/       homes of `dermacare reproduce`, one a run; nothing refers to them
serving/         models of what serves, cached; deleted, they are fetched again
predictions.db   the log of predictions, where $DERMACARE_PREDICTIONS names no other database: digests and results, never pixels
kept/            images that were kept by consent, and no other
audit/           what `dermacare data audit` wrote last
groups.csv       which group each image belongs to, append only, so that no image ever changes its split
withdrawn.csv    what `dermacare data withdraw` took back outside a project
fingerprints.json    digests of source files already read
shared/          groups.csv and withdrawn.csv as the store that $DERMACARE_STORE names has them; fetched anew each time
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.prediction_log import PredictionLog
    from components.promotion.ledger import ReleaseLedger
    from components.tracking import Ledger

VARIABLE = "DERMACARE_HOME"


@dataclass(frozen=True)
class Home:
    """A home folder; two homes never touch."""

    root: Path

    @classmethod
    def here(cls) -> "Home":
        """The home that $DERMACARE_HOME names, or else `.dermacare` of the working directory."""
        return cls(Path(os.environ.get(VARIABLE) or ".dermacare").resolve())

    @property
    def runs(self) -> Path:
        """Folder with one folder a run."""
        return self.root / "runs"

    def run(self, run: str) -> Path:
        """A run's folder."""
        return self.runs / run

    def events(self, run: str) -> Path:
        """The file to which a run's steps append what they say."""
        return self.run(run) / "events.jsonl"

    def log(self, run: str, step: str) -> Path:
        """What a step printed in a run."""
        return self.run(run) / "logs" / f"{step.replace('/', '-')}.log"

    @property
    def tracking_uri(self) -> str:
        """MLflow's address: $MLFLOW_TRACKING_URI, or else the home's own database."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.root / 'mlflow.db'}"

    def releases(self) -> "ReleaseLedger":
        """The ledger of what serves: in the database that $DERMACARE_LEDGER names, or else in the home's own."""
        from components.promotion.ledger import ReleaseLedger

        return ReleaseLedger(os.environ.get("DERMACARE_LEDGER") or f"sqlite:///{self.root / 'ledger.db'}")

    @property
    def serving(self) -> Path:
        """Where the models of what serves are cached: see `pipelines/serving/cache.py`."""
        return self.root / "serving"

    def predictions(self) -> "PredictionLog":
        """The log of predictions: in the database that $DERMACARE_PREDICTIONS names, or else in the home's own."""
        from components.prediction_log import VARIABLE, PredictionLog

        return PredictionLog(os.environ.get(VARIABLE) or f"sqlite:///{self.root / 'predictions.db'}")

    @property
    def shared(self) -> Path:
        """What all runs share that use one remote store, as it was fetched last."""
        return self.root / "shared"

    @property
    def repetitions(self) -> Path:
        """Where `dermacare reproduce` makes a home for each run that it repeats."""
        return self.root / "reproduce"

    @property
    def kept(self) -> Path:
        """Images that were kept by consent."""
        return self.root / "kept"

    @property
    def audit(self) -> Path:
        """Where `dermacare data audit` writes its pages."""
        return self.root / "audit"

    @property
    def artifacts(self) -> Path:
        """Where MLflow's files lie when the home's own database is used."""
        return self.root / "mlartifacts"


def open_ledger(home: Home) -> "Ledger | None":
    """MLflow, as far as registered models go; None where the home's own database is used and there is none yet."""
    from components.tracking import Ledger

    if home.tracking_uri.startswith("sqlite:") and not (home.root / "mlflow.db").exists():
        return None
    return Ledger(home.tracking_uri, "dermacare")
