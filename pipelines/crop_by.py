"""`--crop-by`: the registered segmenter that classifier images are cropped by.

It stands in the parameters as `preprocess.segmenter: bundle:NAME/VERSION#sha256=DIGEST`; the preprocess step fetches the bundle of
that digest from MLflow (`pipelines/parents.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.errors import ParamsError
from components.lesions import Task
from components.params import Params, Resolved, bundle_of, bundle_weights
from pipelines.home import Home, open_ledger
from pipelines.start_from import find_parents, is_alias, withdrawn_from

if TYPE_CHECKING:
    from components.promotion.entries import Version
    from components.register.registry import Registry


@dataclass(frozen=True)
class Crop:
    """The registered segmenter that the classifier images of a run are cropped by.

    Attributes:
        version: the version, as people write it: `lesion-segmenter/3`.
        segmenter: the parameter that names it.
        run_id: our id of the run that registered it.
        by_alias: whether it is what an alias points at; aliases move.
        withdrawn: ids that were withdrawn since, and whose images it learned from.
    """

    version: str
    segmenter: str
    run_id: str
    by_alias: bool
    withdrawn: tuple[str, ...]


def find_crop(home: Home, params: Params, reference: str | None, start_from: Sequence[str]) -> Crop | None:
    """Look up the segmenter that `--crop-by` names; None: it names none.

    An alias stands for what cropped the images of the classifier that is trained on from, if they were cropped: it may have moved
    since, and the cuts of another segmenter are not what that classifier knows.

    Args:
        home: whose MLflow is asked.
        params: all parameters.
        reference: `3`, `production`, `lesion-segmenter/3`.
        start_from: what `--from` names.

    Raises:
        ParamsError: there is no such segmenter, or no such version to start from.
        TrackingError: MLflow does not answer.
        BundleError: what MLflow has is not what was registered.
    """
    if reference is None:
        return None
    from components.register.registry import Registry
    from components.registered import describe_version

    ledger = open_ledger(home)
    if ledger is None:
        raise ParamsError(
            f"--crop-by: nothing is registered in {home.root} yet; run once without it to train a segmenter, or name a server in "
            "MLFLOW_TRACKING_URI"
        )
    with ledger.answering(f"looking up {reference}"):
        version = _find(Registry(ledger), reference)
    digest = _known_crop(home, params, start_from) if is_alias(reference) else None
    if digest is not None:
        with ledger.answering("looking up what the images of a classifier were cropped by"):
            version = Registry(ledger).of_bundle(digest) or version
    return Crop(
        version=version.label,
        segmenter=bundle_weights(version.label, version.digest),
        run_id=version.run_id,
        by_alias=is_alias(reference) and version.digest != digest,
        withdrawn=withdrawn_from(describe_version(ledger, version)),
    )


def cropped(params: Params, segmenter: str) -> Params:
    """The parameters, with the segmenter that crops."""
    return params.model_copy(update={"preprocess": params.preprocess.model_copy(update={"segmenter": segmenter})})


def resolved_crop(resolved: Resolved, crop: Crop | None) -> Resolved:
    """`cropped`, with where the value comes from; as they are without one."""
    if crop is None:
        return resolved
    return Resolved(cropped(resolved.params, crop.segmenter), resolved.sources | {"preprocess.segmenter": "--crop-by"})


def _find(registry: "Registry", reference: str) -> "Version":
    from components.register.registry import REGISTERED

    segmenter = REGISTERED[Task.SEGMENTATION]
    name, _, which = reference.rpartition("/")
    version = registry.named(segmenter, which) if name in ("", segmenter) else None
    if version is None:
        numbers = ", ".join(str(one.number) for one in registry.versions(segmenter)) or "none"
        raise ParamsError(f"--crop-by: {reference} is no version and no alias of {segmenter}; its versions are: {numbers}")
    return version


def _known_crop(home: Home, params: Params, start_from: Sequence[str]) -> str | None:
    """Digest of the segmenter that a classifier which is trained on from was cropped by."""
    parents = [description for reference in start_from for _, description in find_parents(home, params, reference)]
    known = [one.preprocess.segmenter for one in parents if one.task is Task.CLASSIFICATION]
    return next((bundle_of(segmenter) for segmenter in known if segmenter is not None), None)
