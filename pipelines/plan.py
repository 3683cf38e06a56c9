"""What a run will do: every step with its key, known before anything runs, and why a step is stale.

A key depends on the keys of a step's inputs, so that all of them follow from the parameters, the code and the source files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.errors import ParamsError
from components.params import IngestParams, Params, Section, TrainingParams, for_model
from components.store import Store, code_digest, step_key
from components.withdrawn import Withdrawn, withdrawn_for

# Digits of a SHA-256; the mark of a fresh run, its id, has fewer.
_SHA256 = 64


@dataclass(frozen=True)
class PlannedStep:
    """One step of a run.

    Attributes:
        name: the step's name, with the model's for training: `train_classifier/resnet50`.
        key: see `components.store.step_key`.
        params: what the step is set to, as plain values.
        inputs: name of each step whose output it reads → that step's key.
        code: digest of the code that it runs.
        salt: what else decides its output.
    """

    name: str
    key: str
    params: dict[str, Any]
    inputs: dict[str, str]
    code: str
    salt: str = ""

    @property
    def step(self) -> str:
        """The step's name, without the model's."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Plan:
    """All steps of a run, in the order in which they run."""

    steps: tuple[PlannedStep, ...]

    def __getitem__(self, name: str) -> PlannedStep:
        return next(step for step in self.steps if step.name == name)

    def as_json(self) -> list[dict[str, Any]]:
        """Plain values, for the run's record."""
        return [asdict(step) for step in self.steps]

    @classmethod
    def from_json(cls, values: Sequence[Mapping[str, Any]]) -> "Plan":
        """The plan that `as_json` gave."""
        return cls(tuple(PlannedStep(**step) for step in values))

    def without(self, name: str) -> "Plan":
        """The plan without a step on which none depends."""
        return Plan(tuple(step for step in self.steps if step.name != name))

    def same_work(self, other: "Plan") -> bool:
        """Whether both ask for the same work; `register` publishes each run anew and does not count."""
        return {s.name: s.key for s in self.steps if s.step != "register"} == {
            s.name: s.key for s in other.steps if s.step != "register"
        }

    def same_judgement(self, other: "Plan") -> bool:
        """Whether both choose models by the same figure and judge them by the same policy; True for a plan that registers none."""
        asked = [[step.params for step in plan.steps if step.step == "register"] for plan in (self, other)]
        return not asked[0] or asked[0] == asked[1]


def make_plan(params: Params, *, fingerprint: str, run_id: str) -> Plan:
    """The steps that these parameters ask for.

    Args:
        params: all parameters.
        fingerprint: what ingest would read, and what sets a fresh run apart: see `source_fingerprint`.
        run_id: the run that publishes; it alone makes `register` new each time.

    Raises:
        ParamsError: a model is not registered.
    """
    check_models(params)
    steps: dict[str, PlannedStep] = {}

    def add(name: str, section: Section, inputs: Sequence[str], salt: str = "") -> str:
        step = name.partition("/")[0]
        keys = {source: steps[source].key for source in inputs}
        code = code_digest(step)
        keyed = section.identity()
        key = step_key(step, keyed, keys, code=code, salt=salt)
        steps[name] = PlannedStep(name, key, keyed.model_dump(mode="json"), keys, code, salt)
        return name

    ingest = add("ingest", params.ingest, [], fingerprint)
    validate = add("validate", params.section("validate"), [ingest])
    preprocess = add("preprocess", params.preprocess, [validate])
    balance = add("augment_balance", params.augment_balance, [preprocess])
    trained = [
        *(add(f"train_unet/{m}", for_model(params.train_unet, m), [preprocess, balance]) for m in params.train_unet.models),
        *(
            add(f"train_classifier/{m}", for_model(params.train_classifier, m), [preprocess, balance])
            for m in params.train_classifier.models
        ),
    ]
    evaluate = add("evaluate", params.evaluate, [preprocess, *trained])
    add("register", params.section("register"), [preprocess, *trained, evaluate], run_id)
    return Plan(tuple(steps.values()))


def source_fingerprint(params: IngestParams, home: Path, *, fresh: str = "", withdrawn: Withdrawn | None = None) -> str:
    """Digest of all that ingest would read and of what it must keep out, with a mark that sets a `--fresh` run apart.

    Args:
        params: which sources.
        home: keeps digests of files that were read before.
        fresh: the mark.
        withdrawn: what must be kept out; None: what withdrawn.csv says here, and that of the home.
    """
    from components.ingest.fingerprint import ingest_fingerprint

    digest = ingest_fingerprint(params, cache=home / "fingerprints.json")
    return ":".join(filter(None, (digest, (withdrawn or withdrawn_for(home)).digest, fresh)))


def withdrawn_of(fingerprint: str) -> str:
    """The digest of what must be kept out that a source's fingerprint holds; empty where nothing must."""
    return next((part for part in fingerprint.split(":")[1:] if len(part) == _SHA256), "")


def check_models(params: Params) -> None:
    """Every model to train, and every one that parameters of its own are given for, is registered, and can see its images' sizes.

    An override may be for a model that is not trained now: a profile's are, where `--set` chooses among its models.

    Raises:
        ParamsError: one is not, and the text lists what there is; or it cannot see images of a size that it would be trained on.
    """
    from components.train_classifier import registry as classifiers
    from components.train_unet import registry as segmenters

    sections: list[tuple[str, TrainingParams, list[str]]] = [
        ("train_unet", params.train_unet, segmenters.architectures()),
        ("train_classifier", params.train_classifier, classifiers.architectures()),
    ]
    for name, section, known in sections:
        for field, models in (("models", section.models), ("overrides", section.overrides)):
            for model in models:
                if model not in known:
                    raise ParamsError(f"{name}.{field}: {model} is no registered architecture; there are {', '.join(known)}")
        if len(set(section.models)) < len(section.models):
            raise ParamsError(f"{name}.models: {', '.join(section.models)} names a model twice; name each once")
    for model in params.train_unet.models:
        segmenters.check_sizes(for_model(params.train_unet, model), params.preprocess)
    for model in params.train_classifier.models:
        classifiers.check_sizes(for_model(params.train_classifier, model), params.preprocess)


def state_of(step: PlannedStep, store: Store) -> str:
    """What a run would do with a step now: reuse it, resume it, or run it."""
    if store.has(step.step, step.key):
        return "reuse"
    return "resume" if store.begun(step.step, step.key) else "run"


def why_stale(step: PlannedStep, before: Plan | None) -> str:
    """What sets a step apart from the same step of an earlier run, in words."""
    earlier = next((s for s in before.steps if s.name == step.name), None) if before else None
    if earlier is None:
        return "never run"
    changes = [f"{step.step}.{key} {old} → {new}" for key, (old, new) in _changes(earlier.params, step.params).items()]
    changes += [f"{name} changes" for name, key in step.inputs.items() if earlier.inputs.get(name) != key]
    changes += [f"{name} is gone" for name in earlier.inputs if name not in step.inputs]
    if earlier.code != step.code:
        changes.append("its code changed")
    if earlier.salt != step.salt:
        changes.append("each run is published anew" if step.step == "register" else "its source files changed, or --fresh")
    return ", ".join(changes) if changes else "its output is not there yet"


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found |= _changes(before, after, f"{prefix}{key}.")
        elif before != after:
            found[prefix + key] = (before, after)
    return found
