"""Repeats the training of a model from its chain, in a home of its own, and compares what comes out with what was recorded.

    $DERMACARE_HOME/reproduce/<run>/    that home: a step store, and groups.csv as the first home has it

Killed, it can be called again and goes on from there. Nothing is registered, and the first home's store is only read.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from components.dataset import Dataset
from components.errors import RunError, SourceError, StepFailed
from components.files import copy_file
from components.lesions import Task
from components.params import Params, for_model
from components.provenance.chain import Chain
from components.provenance.files import file_digests
from components.provenance.images import image_list_digest
from components.provenance.machine import this_machine
from components.remote_store import GROUPS, VARIABLE, RemoteStore
from components.store import Store, code_digest
from components.training.libraries import library_versions
from pipelines.execute import StepCall, run_step
from pipelines.home import Home
from pipelines.plan import source_fingerprint
from pipelines.publish import git_state
from pipelines.recorded_params import read_params

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Compared:
    """Something that was recorded, and what came out now; `recorded` None: it is not known."""

    name: str
    recorded: str | None
    repeated: str

    @property
    def is_equal(self) -> bool | None:
        """Whether the two are the same; None: not known."""
        return None if self.recorded is None else self.recorded == self.repeated


class Reproduction:
    """The repetition of one model's training.

    Args:
        home: the home that has the chain; the repetition's own home lies in it.
        chain: of the model.
        sources: where the images lie now; empty: where they lay then.

    Raises:
        RunError: the chain does not say enough, or the code here is not that of the chain.
    """

    def __init__(self, home: Home, chain: Chain, sources: Sequence[str] = ()) -> None:
        self._home = home
        self._chain = chain
        self._run = chain.training.run_id
        self.root = home.repetitions / self._run
        self._params = self._read(sources)
        self._model = chain.model.name
        self._step = "train_unet" if self._model in self._params.train_unet.models else "train_classifier"
        self._check_code()

    def remarks(self) -> list[str]:
        """What may keep the digests from being equal, each a sentence without its full stop."""
        return [*self._code_remarks(), *self._library_remarks(), *self._machine_remarks()]

    def repeat(self, tell: Tell) -> list[Compared]:
        """Carry it out; where the data is another already, nothing is trained.

        Args:
            tell: gets a line for each step.

        Raises:
            RunError: the images are neither where they lay nor in this home.
            DermaCareError: a step's own errors.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        groups = self._groups()
        if groups.is_file() and not (self.root / GROUPS).exists():
            copy_file(str(groups), str(self.root / GROUPS))
        validated = self._validated(tell)
        preprocessed = self._do("preprocess", {"dataset": validated}, tell)
        rows = self._compare_data(Dataset(preprocessed))
        if any(row.is_equal is False for row in rows):
            tell("the data is another: nothing is trained")
            return rows
        balanced = self._do("augment_balance", {"dataset": preprocessed}, tell)
        trained = self._do(f"{self._step}/{self._model}", {"dataset": preprocessed, "plan": balanced}, tell)
        return rows + self._compare_files(file_digests(trained))

    def _groups(self) -> Path:
        """The file that says which group each image belongs to: the shared store's, where runs of here have one."""
        remote, shared = RemoteStore.here(), self._home.shared / GROUPS
        if remote is None or remote.take_file(GROUPS, shared) is None:
            return self._home.root / GROUPS
        return shared

    def _read(self, sources: Sequence[str]) -> Params:
        why = self._chain.unknown.get("training.params")
        if why:
            raise RunError(f"{self._run}: its parameters are not known ({why}); check its commit out and `dvc repro`")
        params = read_params(self._chain.training.params, self._run)
        if not sources:
            return params
        return params.model_copy(update={"ingest": params.ingest.model_copy(update={"sources": list(sources)})})

    def _check_code(self) -> None:
        code, here = self._chain.code, code_digest(self._step)
        commit, dirty = git_state()
        if code.digest == here or (code.digest is None and code.commit == commit and commit and not dirty and not code.dirty):
            return
        if code.commit is None:
            raise RunError(f"{self._run}: was trained by code that is not that of here, and its commit is not known")
        if code.dirty and code.commit == commit:
            raise RunError(
                f"{self._run}: was trained by commit {code.commit[:12]} with uncommitted changes, and cannot be repeated without"
            )
        raise RunError(
            f"{self._run}: was trained by other code or another requirements.lock than is here; `git checkout {code.commit}`, "
            "install its requirements.lock, then run the same command again"
        )

    def _code_remarks(self) -> list[str]:
        code, (commit, dirty) = self._chain.code, git_state()
        if code.commit == commit and not dirty and not code.dirty:
            return []
        then, now = (_commit(*one) for one in ((code.commit, bool(code.dirty)), (commit, dirty)))
        return [
            f"the code was {then} then and is {now} now; that of the training step and requirements.lock are the same, "
            "that of the steps before it may differ"
        ]

    def _library_remarks(self) -> list[str]:
        then, now = self._chain.training.libraries, library_versions()
        if not then:
            return ["which versions of the libraries trained it is not known"]
        names = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
        differing = [f"{name} {then.get(name, 'absent')} → {now.get(name, 'absent')}" for name in names]
        return [f"libraries differ ({', '.join(differing)}): bundle.json names them, and weights may differ"] if differing else []

    def _machine_remarks(self) -> list[str]:
        then, now = self._chain.training.machines, this_machine()
        if then == (now,):
            return []
        trained = f"it was trained on {'; then '.join(then)}" if then else "on what it was trained is not known"
        return [f"{trained}, and this is {now}: weights are bit for bit equal on the same processor, threads and GPU alone"]

    def _validated(self, tell: Tell) -> Path:
        """The checked images: from their sources, or where those are gone, as this home still has them."""
        try:
            salt = source_fingerprint(self._params.ingest, self.root)
        except SourceError as error:
            kept = self._kept()
            if kept is None:
                raise RunError(
                    f"{self._run}: its images are neither where they lay nor in this home ({error}); say with --data where they lie"
                ) from error
            tell(f"the sources are gone ({error}); this home still has the checked images: it begins with those")
            return kept
        return self._do("validate", {"raw": self._do("ingest", {}, tell, salt)}, tell)

    def _kept(self) -> Path | None:
        outs = Store(self._home.root).outs("validate")
        return next((out for out in outs if Dataset(out).version == self._chain.data.version), None)

    def _do(self, name: str, inputs: dict[str, Path], tell: Tell, salt: str = "") -> Path:
        """A step in a process of its own, as every run has it, with the first home's MLflow to fetch models from."""
        step, _, model = name.partition("/")
        section = self._params.section(step)
        call = StepCall(name, for_model(section, model) if model else section, inputs, salt=salt)  # type: ignore[type-var]
        log = self.root / "logs" / f"{name.replace('/', '-')}.log"
        log.parent.mkdir(exist_ok=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            try:
                done = pool.submit(_carry_out, call, self.root, self._home.tracking_uri, log).result()
            except BrokenProcessPool as error:
                raise StepFailed(
                    f"{name}: its process was killed, for want of memory perhaps ({log}); the same command goes on from there"
                ) from error
        tell(f"{name}: {done[1]} in {done[2]:.1f} s")
        return done[0]

    def _compare_data(self, dataset: Dataset) -> list[Compared]:
        task = Task.SEGMENTATION if self._step == "train_unet" else Task.CLASSIFICATION
        return [
            Compared("data version", self._chain.data.version, dataset.version),
            Compared("images and splits", self._chain.data.images, image_list_digest(dataset, task)),
        ]

    def _compare_files(self, repeated: dict[str, str]) -> list[Compared]:
        recorded = dict(self._chain.model.files)
        if not recorded and self._chain.model.digest:
            recorded = {"bundle.json": self._chain.model.digest}
        return [Compared(name, recorded.get(name), digest) for name, digest in sorted(repeated.items())]


def _carry_out(call: StepCall, root: Path, tracking_uri: str, log: Path) -> tuple[Path, str, float]:
    """What the process of a step does; what the step's libraries print goes to a log."""
    os.environ["MLFLOW_TRACKING_URI"] = tracking_uri
    os.environ.pop(VARIABLE, None)  # from the shared store it would fetch what it is to make again
    with log.open("ab") as handle:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(handle.fileno(), stream.fileno())
        done = run_step(call, Home(root))
    return done.out, done.outcome.value, done.seconds


def _commit(commit: str | None, dirty: bool) -> str:
    return f"{commit[:12] if commit else 'outside git'}{' with uncommitted changes' if dirty else ''}"
