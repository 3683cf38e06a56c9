"""What of a run goes to MLflow, and where from: the live line of its owner, and the whole that the register step publishes."""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import components
from components.audit.findings import read_counts
from components.bundle import Description, read_description
from components.dataset import Dataset
from components.errors import TrackingError
from components.files import sha256_file
from components.lesions import Split
from components.params import Params, RegisterParams
from components.project import project_file
from components.promotion.entries import Action
from components.promotion.reading import read_promotion
from components.register.context import DataContext, RunContext
from components.register.follow import refuse_another_ledger
from components.register.registry import Registry
from components.remote_store import RemoteStore
from components.reporter import Reporter
from components.store import Origin, Store, made_by
from components.tracking import Ledger, RunStatus, Tracker
from pipelines import runs
from pipelines.data.revision import dvc_revision
from pipelines.home import Home, open_ledger
from pipelines.parents import KnownSplits, count_learned_before, learned_of
from pipelines.runs import RunRecord, RunState

if TYPE_CHECKING:
    from components.leak_study.scores import LeakScores

_STATUS: dict[RunState, RunStatus] = {RunState.DONE: "FINISHED", RunState.FAILED: "FAILED", RunState.KILLED: "KILLED"}


def check_tracking(home: Home, params: Params) -> None:
    """See, before hours of training, that the tracking server answers and takes what this user writes, and that he may sign it.

    Raises:
        TrackingError: it does not.
        LedgerError: the policy does not list his key, or the ledger is not the one of the registered models.
    """
    releases, ledger = home.releases(), Ledger(home.tracking_uri, params.register_.experiment)
    read_promotion().signers.require(releases.public_key, Action.DECIDE)
    try:
        ledger.check()
        with ledger.answering("looking up the ledger of the versions"):
            refuse_another_ledger(Registry(ledger), releases.url, releases.entries())
    except TrackingError as error:
        raise type(error)(f"{error}, or train without it now and register later: --offline") from error


class LiveTracking:
    """A run's live line to MLflow, for the process that owns it; it never holds the run up."""

    def __init__(self, home: Home, record: RunRecord) -> None:
        experiment = Params.model_validate(record.params).register_.experiment
        self._tracker = Tracker(Ledger(home.tracking_uri, experiment))
        self._tracker.start_run(
            record.id,
            profile=record.profile,
            params=flat(recorded(record.params)),
            name=f"{record.profile or 'run'} {record.id}",
            description=f"`{record.command}`",
            tags=commit_tags(),
        )

    def send(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Hand on what the run's steps said."""
        for event in events:
            self._tracker.handle(event)

    def end(self, state: RunState) -> None:
        """Have it written down how the run ended."""
        self._tracker.end_run(_STATUS[state])


def publish(
    home: Home,
    run: str,
    out: Path,
    params: RegisterParams,
    reporter: Reporter,
    *,
    dataset: Path,
    models: Sequence[Path],
    evaluation: Path,
) -> None:
    """Register's work: everything that a run made goes to MLflow, and the policy decides whether its best models serve.

    Args:
        home: where state lies.
        run: id of the run; empty where a step is carried out by itself (a shell, DVC): that is a run of its own.
        out: the folder to write.
        params: see RegisterParams.
        reporter: is told how far it is.
        dataset: the preprocessed dataset.
        models: model bundles.
        evaluation: evaluate's output.
    """
    from components.leak_study.scores import read_leak
    from components.register import register

    store = Store(home.root, RemoteStore.here())
    origins = {folder: made_by(folder) for folder in (dataset, *models, evaluation)}
    record = runs.load(home, run) if run else None
    keys = _keys(record, [origins[folder] for folder in (*models, evaluation, dataset)])
    commit, dirty = git_state()
    trained = [origins[folder] for folder in models]
    trained_by = {one.step.partition("/")[2]: str(store.record(one.step, one.key).get("run", "")) for one in trained}
    context = RunContext(
        run_id=run or runs.new_id(),
        profile=record.profile if record else "",
        params=flat(recorded(record.params)) if record else flat({"register": params.model_dump(mode="json")}),
        commit=commit,
        dirty=dirty,
        step_keys={origin.step: origin.key for origin in origins.values()},
        reused={model: trainer for model, trainer in trained_by.items() if trainer and trainer != run},
        learned=_learned(KnownSplits(home), models, dataset),
        codes={origin.step: origin.code for origin in origins.values()},
        lock=sha256_file(project_file("requirements.lock")),
        dvc_revision=dvc_revision(store, keys.get("ingest"), Dataset(dataset).version),
    )
    figures = _figures(store, keys)
    study = _leak_study(store, Dataset(dataset))
    if study is not None:
        figures["leak_study"] = study / "figures"
    ledger = Ledger(home.tracking_uri, params.experiment)
    known = _data_context(home, Dataset(dataset), store, keys.get("validate"), None if study is None else read_leak(study))
    register(dataset, models, evaluation, out, params, reporter, ledger, home.releases(), context, known, figures)


def _keys(record: RunRecord | None, origins: Iterable[Origin]) -> dict[str, str]:
    """Each step (and model) that the run is made of → key of its work.

    What lies in the outputs goes before the plan: a run that the clock started was planned without knowing its sources. Of two
    outputs the later one goes before the earlier.
    """
    planned = {step.name: step.key for step in record.steps.steps} if record else {}
    return planned | {step: key for origin in origins for step, key in origin.steps.items()}


def _learned(splits: KnownSplits, models: Sequence[Path], dataset: Path) -> dict[str, int | None]:
    """Of each model that was trained on from another, how many images that judge it the other learned from; None: not known."""
    described = [read_description(model) for model in models]
    return {
        one.name: count_learned_before(splits, one.parent, Dataset(dataset), one.task, one.training["folds"])
        for one in described
        if one.parent
    }


def _data_context(home: Home, dataset: Dataset, store: Store, validate: str | None, leak: "LeakScores | None") -> DataContext:
    """What this home, its store or MLflow knows of the data that judges; `validate`: the key of its work, where it is known."""
    if validate is not None:
        store.bring("validate", validate)
    validated = next((out for out in store.outs("validate") if Dataset(out).version == dataset.version), None)

    def learned(model: Description) -> int | None:
        test, folds = dataset.rows(model.task, Split.TEST), model.training.get("folds", 1)
        found, is_all = learned_of(KnownSplits(home), model.learned_from, test, model.task, folds)
        return int(found.sum()) if is_all or found.any() else None

    return DataContext(
        learned=learned,
        validated=validated,
        audit=None if validated is None else read_counts(validated),
        leak=leak,
    )


def _figures(store: Store, keys: Mapping[str, str]) -> dict[str, Path]:
    """Pictures that belong to the run as a whole."""
    steps = ("validate", "preprocess", "augment_balance")
    return {step: store.told(step, keys[step]) / "figures" for step in steps if step in keys}


def _leak_study(store: Store, dataset: Dataset) -> Path | None:
    """The newest leak study of this home on the same images, which went through the same."""
    from components.leak_study.scores import read_leak

    same = (dataset.version, dataset.preprocessing.identity())
    studies = ((out, read_leak(out)) for out in store.outs("leak_study"))
    return next((out for out, found in studies if (found.data_version, found.preprocess) == same), None)


def released_runs(home: Home) -> list[str]:
    """Ids of the runs that trained a model to which an alias points; empty where there is no database yet."""
    ledger = open_ledger(home)
    if ledger is None:
        return []
    from components.register.registry import REGISTERED, RUN, Registry

    with ledger.answering("looking up the released models"):
        registry = Registry(ledger)
        versions = [(name, version) for name in REGISTERED.values() for version in registry.aliases(name).values()]
        return [ledger.client.get_model_version(name, str(version)).tags.get(RUN, "") for name, version in versions]


def recorded(params: Mapping[str, Any]) -> dict[str, Any]:
    """Of all parameters, as plain values, those that decide what comes out; where the steps ran does not."""
    return {name: section for name, section in params.items() if name != "cluster"}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters under dotted names, as text."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)
    return found


def git_state() -> tuple[str | None, bool]:
    """Commit of the code and whether it differs from that commit; (None, False) where it is no clone and no image of ours."""
    if built := os.environ.get("DERMACARE_REVISION"):
        return built.removesuffix("-dirty"), built.endswith("-dirty")
    root = Path(components.__file__).parent.parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    if git("ls-files", "--error-unmatch", components.__file__) is None:
        return None, False
    # dvc.lock is no code: DVC writes it after every step, so that no run through DVC would ever be clean.
    return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", ":!dvc.lock"))


def commit_tags() -> dict[str, str]:
    """The code's commit, as tags of a run."""
    commit, dirty = git_state()
    return {"dermacare.commit": commit or "", "dermacare.dirty": str(dirty).lower()}
