"""`--from`: which registered version is meant, which model of the run starts from it, and whether it may.

A version stands in the parameters of its architecture as `weights: bundle:NAME/VERSION#sha256=DIGEST`; the training step fetches
the bundle of that digest from MLflow (`pipelines/parents.py`), so that any machine that reaches the tracking server can.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.errors import ParamsError, WeightsError
from components.lesions import Task
from components.params import Params, PreprocessParams, Resolved, TrainingParams, bundle_weights, for_model, version_of
from components.withdrawn import withdrawn_for
from pipelines.home import Home, open_ledger

if TYPE_CHECKING:
    from components.bundle import Description
    from components.promotion.entries import Version
    from components.register.registry import Registry

_SECTIONS: Mapping[Task, str] = {Task.CLASSIFICATION: "train_classifier", Task.SEGMENTATION: "train_unet"}

# What decides the colours of a pixel, by the switch that it depends on. Lengths in pixels follow the size, which may change.
_COLOURS = {"remove_hair": ("remove_hair", "hair_threshold"), "equalise": ("equalise", "clip_limit", "tiles")}
_LENGTHS = {"remove_hair": ("hair_kernel", "inpaint_radius"), "equalise": ()}


@dataclass(frozen=True)
class Start:
    """A model of a run that starts from a registered version.

    Attributes:
        section: its parameters': train_classifier or train_unet.
        model: name of the architecture.
        version: the version, as people write it: `lesion-classifier/7`.
        weights: the parameter that names it.
        run_id: our id of the run that registered it.
        by_alias: whether an alias named it; aliases move.
        withdrawn: ids that were withdrawn since, and whose images it learned from.
    """

    section: str
    model: str
    version: str
    weights: str
    run_id: str
    by_alias: bool
    withdrawn: tuple[str, ...]


def find_starts(home: Home, params: Params, references: Sequence[str]) -> list[Start]:
    """Look up the versions that `--from` names, and the model of the run that starts from each.

    Args:
        home: whose MLflow is asked.
        params: all parameters.
        references: `7`, `production`, `lesion-classifier/7`, `lesion-classifier/production`. Without a name an alias stands for
            the classifier and the segmenter, as far as such models are trained.

    Raises:
        ParamsError: there is no such version, it is not clear which one is meant, the run does not train its architecture, or its
            images were preprocessed otherwise.
        TrackingError: MLflow does not answer.
        BundleError: what MLflow has is not what was registered.
    """
    starts = [start for reference in references for start in _starts(home, params, reference)]
    models = [start.model for start in starts]
    for start in starts:
        if models.count(start.model) > 1:
            several = ", ".join(other.version for other in starts if other.model == start.model)
            raise ParamsError(f"--from: {several} are all a {start.model}, of which a run trains one; name one of them")
    return starts


def started(params: Params, starts: Sequence[Start]) -> Params:
    """The parameters, with the version that each model starts from; the other models stay as they are."""
    values = params.model_dump(mode="json", by_alias=True)
    for start in starts:
        overrides = values[start.section]["overrides"]
        overrides[start.model] = {**overrides.get(start.model, {}), "weights": start.weights}
    return Params.model_validate(values)


def resolved_with(resolved: Resolved, starts: Sequence[Start]) -> Resolved:
    """`started`, with where each value comes from."""
    origin = {f"{start.section}.overrides": "--from" for start in starts}
    return Resolved(started(resolved.params, starts), resolved.sources | origin)


def check_reachable(home: Home, params: Params) -> None:
    """A cluster must be able to fetch the bundles that models start from, or that images are cropped by.

    Raises:
        ParamsError: they lie in the home's own MLflow.
    """
    if not home.tracking_uri.startswith("sqlite:"):
        return
    sections = [_section(params, name) for name in _SECTIONS.values()]
    named = [for_model(section, model).weights for section in sections for model in section.models]
    for version in map(version_of, [*named, params.preprocess.segmenter or ""]):
        if version:
            raise ParamsError(
                f"{version} is to be used, but lies in this home's own MLflow, out of a cluster's reach; "
                "name the cluster's server in MLFLOW_TRACKING_URI, and a version that it has"
            )


def weights_of(params: Params, start: Start) -> str:
    """What a model starts from in these parameters."""
    return for_model(_section(params, start.section), start.model).weights


def _section(params: Params, name: str) -> TrainingParams:
    section = params.section(name)
    assert isinstance(section, TrainingParams)
    return section


def withdrawn_from(description: "Description") -> tuple[str, ...]:
    """Ids that were withdrawn, and whose images a model, or one that it was trained on from, learned from."""
    rows = withdrawn_for(Home.here().root).rows
    return tuple(row.id for row in rows if not set(description.learned_from).isdisjoint(row.versions))


def is_alias(reference: str) -> bool:
    """Whether a reference names an alias, which moves, and no version."""
    return not reference.rpartition("/")[2].isdigit()


def find_parents(home: Home, params: Params, reference: str) -> "list[tuple[Version, Description]]":
    """The versions that a reference of `--from` names, and what they say of themselves; the rest as of `find_starts`."""
    from components.register.registry import Registry
    from components.registered import describe_version

    ledger = open_ledger(home)
    if ledger is None:
        raise ParamsError(
            f"--from: nothing is registered in {home.root} yet; run once without --from, or name a server in MLFLOW_TRACKING_URI"
        )
    with ledger.answering(f"looking up {reference}"):
        versions = _find(Registry(ledger), reference, params)
    return [(version, describe_version(ledger, version)) for version in versions]


def _starts(home: Home, params: Params, reference: str) -> list[Start]:
    starts = []
    for version, description in find_parents(home, params, reference):
        section = _SECTIONS[description.task]
        _check_architecture(version.label, description.architecture, section, _section(params, section).models)
        _check_preprocessing(version.label, description, params.preprocess)
        _check_folds(version.label, description, for_model(_section(params, section), description.architecture))
        starts.append(
            Start(
                section=section,
                model=description.architecture,
                version=version.label,
                weights=bundle_weights(version.label, version.digest),
                run_id=version.run_id,
                by_alias=is_alias(reference),
                withdrawn=withdrawn_from(description),
            )
        )
    return starts


def _find(registry: "Registry", reference: str, params: Params) -> "list[Version]":
    """The versions that a reference names, of tasks that the run trains models of."""
    from components.register.registry import REGISTERED

    name, _, which = reference.rpartition("/")
    found = [version for one in REGISTERED.values() if name in ("", one) and (version := registry.named(one, which))]
    if not found:
        raise ParamsError(f"--from: {reference} is no version and no alias of a registered model; there are {_listed(registry)}")
    trained = [REGISTERED[task] for task, section in _SECTIONS.items() if _section(params, section).models]
    wanted = [version for version in found if version.name in trained]
    if not wanted:
        section = next(section for task, section in _SECTIONS.items() if REGISTERED[task] == found[0].name)
        raise ParamsError(f"--from: {found[0].label} is given, but {section}.models is empty; name its architecture there")
    if len(wanted) > 1 and which.isdigit():
        raise ParamsError(f"--from: {reference} may be {' or '.join(version.label for version in wanted)}; write one of these")
    return wanted


def _listed(registry: "Registry") -> str:
    from components.register.registry import REGISTERED

    lines = []
    for name in REGISTERED.values():
        aliases = registry.aliases(name)
        for version in registry.versions(name):
            named = ", ".join(alias for alias, number in aliases.items() if number == version.number)
            lines.append(version.label + (f" ({named})" if named else ""))
    return ", ".join(lines) or "none"


def _check_architecture(version: str, architecture: str, section: str, models: Sequence[str]) -> None:
    if architecture not in models:
        raise ParamsError(
            f"--from: {version} is a {architecture}, which this run does not train; "
            f"give --set {section}.models=[{','.join([*models, architecture])}], or [{architecture}] alone"
        )


def _check_preprocessing(version: str, description: "Description", now: PreprocessParams) -> None:
    """Colours must mean the same to the network and in the figures that compare parent and child; another size may be seen."""
    then = description.preprocess
    if description.task is Task.CLASSIFICATION:
        _check_crop(version, then, now)
    for name in _differing(description, now):
        before, after = getattr(then, name), getattr(now, name)
        raise ParamsError(
            f"--from: {version} saw images that preprocess.{name}={_yaml(before)} made, and it is {_yaml(after)}; "
            f"give --set preprocess.{name}={_yaml(before)}, or train without --from"
        )


def saw_such_images(description: "Description", now: PreprocessParams) -> bool:
    """Whether a model saw images that went through what these have gone through, maybe at another size."""
    cropped = description.task is Task.CLASSIFICATION and _crop(description.preprocess) != _crop(now)
    return not cropped and not any(_differing(description, now))


def _differing(description: "Description", now: PreprocessParams) -> Iterator[str]:
    """Names of parameters of preprocessing that made other colours of the same image."""
    then = description.preprocess
    same_size = description.stored_size == description.model_copy(update={"preprocess": now}).stored_size
    for switch, colours in _COLOURS.items():
        for name in (*colours, *(_LENGTHS[switch] if same_size else ())):
            if getattr(then, name) != getattr(now, name) and (name == switch or getattr(now, switch)):
                yield name


def _check_crop(version: str, then: PreprocessParams, now: PreprocessParams) -> None:
    if _crop(then) != _crop(now):
        before = f"cropped by {then.segmenter} with a margin of {then.crop_margin:g}" if then.segmenter else "that were not cropped"
        raise ParamsError(
            f"--from: {version} saw images {before}, and this run does otherwise; set preprocess.segmenter and "
            "preprocess.crop_margin as they were, or train without --from"
        )


def _crop(params: PreprocessParams) -> tuple[str | None, float | None]:
    return params.identity().segmenter, params.crop_margin if params.segmenter else None


def _check_folds(version: str, description: "Description", params: TrainingParams) -> None:
    from components.training.folds import plan_members
    from components.training.parent import place_in_parent

    try:
        for member in plan_members(params):
            place_in_parent(description, params, member)
    except WeightsError as error:
        raise ParamsError(f"--from: {version}: {error}") from error


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
