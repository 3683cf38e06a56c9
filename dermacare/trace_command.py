"""`dermacare trace`: the chain of a model, or of an answer, as a tree of short lines."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping

import typer
from rich.markup import escape
from rich.tree import Tree

from components.prediction_log import LoggedPrediction
from components.provenance.chain import Chain, Code, Data, Decisions, Model, Training
from dermacare.console import console
from pipelines.home import Home
from pipelines.trace import Chains
from pipelines.trace_prediction import trace_prediction

_UNKNOWN = "unknown"
_PREDICTION = re.compile("[0-9a-f]{32}")


def trace(name: str, *, as_json: bool) -> None:
    """Print the chains of the models that a name means.

    Args:
        name: a version, a run's id, or a prediction's id.
        as_json: print a list of `Chain`s for scripts; of a prediction an object that holds them.

    Raises:
        RunError: it means nothing.
        TrackingError, LedgerError: MLflow or the ledger does not answer.
    """
    if _PREDICTION.fullmatch(name):
        _trace_prediction(name, as_json=as_json)
        return
    chains = Chains(Home.here()).find(name)
    if as_json:
        typer.echo(json.dumps([chain.model_dump(mode="json") for chain in chains], indent=1, ensure_ascii=False))
        return
    _print(chains)


def _trace_prediction(prediction_id: str, *, as_json: bool) -> None:
    traced = trace_prediction(Home.here(), prediction_id)
    if as_json:
        chains = [chain.model_dump(mode="json") for chain in traced.chains]
        content = {"prediction": traced.prediction.model_dump(mode="json"), "chains": chains, "astray": traced.astray}
        typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
        return
    console.print(_answer(traced.prediction))
    _print(traced.chains)
    for sentence in traced.astray:
        console.print(f"{sentence}.", style="bold red", markup=False)


def _print(chains: Iterable[Chain]) -> None:
    for chain in chains:
        console.print(draw(chain))
        for sentence in chain.astray:
            console.print(f"{sentence}.", style="bold red", markup=False)


def _answer(prediction: LoggedPrediction) -> Tree:
    tree = Tree(f"[bold]prediction {prediction.id}[/bold]", guide_style="dim")
    for line in _answered(prediction):
        tree.add(escape(line))
    return tree


def _answered(prediction: LoggedPrediction) -> Iterator[str]:
    asked = f", asked by {prediction.asked_by}" if prediction.asked_by else ""
    yield f"{prediction.created.isoformat(sep=' ', timespec='seconds')}{asked}"
    kept = "kept by consent" if prediction.kept else "not kept"
    yield f"image SHA-256 {prediction.image_sha256}, {prediction.width} x {prediction.height} pixels, {kept}"
    told = [f"{name} {value}" for name in ("age", "sex", "site") if (value := getattr(prediction, name)) is not None]
    if told:
        yield f"told: {', '.join(told)}"
    if prediction.refused:
        yield f"refused as strange ({prediction.strangeness:.2f})"
    elif prediction.probabilities:
        ranked = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])
        yield " · ".join(f"{code} {probability:.3f}" for code, probability in ranked)
        if prediction.prediction_set is not None:
            yield f"not ruled out: {', '.join(prediction.prediction_set) or 'none'}"
    if prediction.warnings:
        yield f"warnings: {', '.join(prediction.warnings)}"
    yield f"by entry {prediction.entry} of the ledger ({prediction.head[:12]}…)"


def draw(chain: Chain) -> Tree:
    """The chain as a tree: what is not known says so, and why."""
    tree = Tree(_headline(chain.model), guide_style="dim")
    for title, lines in (
        ("model", _model(chain.model)),
        ("run", _training(chain.training)),
        ("data", _data(chain.data)),
        ("code", _code(chain.code)),
        ("decided", _decisions(chain.decisions)),
    ):
        branch = tree.add(f"[bold]{title}[/bold]")
        for line in lines:
            branch.add(escape(line))
    if chain.unknown:
        branch = tree.add("[bold yellow]unknown[/bold yellow]")
        for reason, names in _grouped(chain.unknown):
            branch.add(escape(f"{', '.join(names)}: {reason}"))
    return tree


def _headline(model: Model) -> str:
    aliases = f" ({', '.join(model.aliases)})" if model.aliases else ""
    return f"[bold]{escape(model.version or model.name)}[/bold]{escape(aliases)}"


def _model(model: Model) -> Iterator[str]:
    yield f"{model.name}, bundle SHA-256 {model.digest or _UNKNOWN}"
    for name, digest in sorted(model.files.items()):
        if name != "bundle.json":
            yield f"{name} {digest}"
    if model.parent:
        yield f"trained on from {model.parent}"
    if model.phantom:
        yield "drawn images (phantom): it knows nothing about skin"


def _training(training: Training) -> Iterator[str]:
    profile = f", profile {training.profile}" if training.profile else ""
    yield f"{training.run_id}{profile}, {training.status or _UNKNOWN}"
    yield f"from {training.started or _UNKNOWN} to {training.ended or _UNKNOWN}"
    if training.trained_in:
        yield f"trained in run {training.trained_in}"
    yield f"work {training.step_key or _UNKNOWN}"
    yield f"on {'; then '.join(training.machines) or _UNKNOWN}"
    yield f"seeds {_listed(training.seeds)}"
    yield f"libraries {_listed(training.libraries)}"
    for section, params in itertools.groupby(sorted(training.params.items()), key=lambda pair: pair[0].partition(".")[0]):
        yield f"{section}: {_listed({key.partition('.')[2]: value for key, value in params})}"


def _data(data: Data) -> Iterator[str]:
    yield f"version {data.version or _UNKNOWN}"
    yield f"images and splits SHA-256 {data.images or _UNKNOWN}"
    yield f"DVC {data.revision or _UNKNOWN}"
    yield f"sources {data.sources or _UNKNOWN}"


def _code(code: Code) -> Iterator[str]:
    state = {True: ", with uncommitted changes", False: ", unchanged", None: ""}[code.dirty]
    yield f"commit {code.commit or _UNKNOWN}{state}"
    yield f"training step {code.digest or _UNKNOWN}"
    yield f"requirements.lock SHA-256 {code.lock or _UNKNOWN}"


def _decisions(decisions: Decisions) -> Iterator[str]:
    serving = "serves now" if decisions.serves else "does not serve"
    yield f"{decisions.outcome or 'never judged'}; {serving}"
    yield f"policy {decisions.policy or _UNKNOWN}"
    for gate in decisions.gates:
        yield f"gate {gate.gate} {'holds' if gate.holds else 'does not hold'}: {gate.sentence}"
    if decisions.approvals:
        yield f"approvals asked for: {decisions.approvals}"
    for approver in decisions.approvers:
        yield f"approved by {approver}"
    for act in decisions.acts:
        yield f"entry {act.number}, {act.time[:16].replace('T', ' ')}, {act.actor}: {act.what} ({act.reason})"


def _listed(values: Mapping[str, str]) -> str:
    return " · ".join(f"{key} {value}" for key, value in values.items()) or _UNKNOWN


def _grouped(unknown: Mapping[str, str]) -> Iterable[tuple[str, list[str]]]:
    """Reason → all that is unknown for it."""
    reasons: dict[str, list[str]] = {}
    for name, reason in unknown.items():
        reasons.setdefault(reason, []).append(name)
    return reasons.items()
