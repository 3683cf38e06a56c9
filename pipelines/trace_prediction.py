"""Finds where an answer comes from: the log's row, joined to the chains of the models that gave it."""

from dataclasses import dataclass

from components.errors import BundleError, LedgerError, RunError, TrackingError
from components.prediction_log import LoggedModel, LoggedPrediction
from components.provenance.chain import Chain
from pipelines.home import Home
from pipelines.trace import Chains


@dataclass(frozen=True)
class TracedPrediction:
    """An answer and where it comes from.

    Attributes:
        prediction: the log's row.
        chains: of the models that answered, as far as they could be found.
        astray: what does not fit together, or could not be looked up, each a sentence without its full stop.
    """

    prediction: LoggedPrediction
    chains: list[Chain]
    astray: list[str]


def trace_prediction(home: Home, prediction_id: str) -> TracedPrediction:
    """Join an answer to its models, their data and who let them serve.

    Raises:
        RunError: the log of this home has no such answer.
        StoreError: the log cannot be read.
    """
    log = home.predictions()
    prediction = log.find(prediction_id)
    if prediction is None:
        raise RunError(
            f"{log.place}: has no prediction {prediction_id}; set DERMACARE_HOME to the home of the server that answered, or "
            "DERMACARE_PREDICTIONS to its log"
        )
    chains: list[Chain] = []
    astray = _of_ledger(home, prediction)
    for model in filter(None, (prediction.classifier, prediction.segmenter)):
        try:
            (chain,) = Chains(home).find(f"{model.name}/{model.version}")
        except (RunError, TrackingError, BundleError, LedgerError) as error:
            astray.append(f"{model.name}/{model.version}: cannot be looked up ({error})")
            continue
        chains.append(chain)
        astray += _against(model, chain)
    return TracedPrediction(prediction, chains, astray)


def _of_ledger(home: Home, prediction: LoggedPrediction) -> list[str]:
    """Whether the ledger has the entry that let the models serve, as it was then."""
    try:
        entries = {entry.number: entry for entry in home.releases().entries()}
    except LedgerError as error:
        return [f"the ledger cannot be read ({error})"]
    entry = entries.get(prediction.entry)
    if entry is None:
        return [f"the ledger has no entry {prediction.entry}, by which the models served"]
    if entry.hash != prediction.head:
        return [f"entry {prediction.entry} of the ledger is another one than that by which the models served"]
    return []


def _against(model: LoggedModel, chain: Chain) -> list[str]:
    if chain.model.digest == model.digest:
        return []
    label = f"{model.name}/{model.version}"
    return [f"{label} answered as the bundle {model.digest}, but MLflow has {chain.model.digest} under this number"]
