"""`--crop-by`: the registered segmenter that classifier images are cropped by.

It stands in the parameters as `preprocess.segmenter: bundle:NAME/VERSION#sha256=DIGEST`; the preprocess step fetches the bundle of
that digest from MLflow (`pipelines/parents.py`).
"""

from components.errors import ParamsError
from components.lesions import Task
from components.params import Params, Resolved, bundle_weights
from pipelines.home import Home, open_ledger


def cropped_by(home: Home, resolved: Resolved, reference: str | None) -> Resolved:
    """The parameters with the segmenter that `--crop-by` names.

    Args:
        home: whose MLflow is asked.
        resolved: the parameters.
        reference: `3`, `production`, `lesion-segmenter/3`; None: nothing is changed.

    Raises:
        ParamsError: there is no such segmenter.
        TrackingError: MLflow does not answer.
    """
    if reference is None:
        return resolved
    values = resolved.params.model_dump(mode="json", by_alias=True)
    values["preprocess"]["segmenter"] = _find(home, reference)
    return Resolved(Params.model_validate(values), resolved.sources | {"preprocess.segmenter": "--crop-by"})


def _find(home: Home, reference: str) -> str:
    from components.register.registry import REGISTERED, Registry

    ledger = open_ledger(home)
    if ledger is None:
        raise ParamsError(
            f"--crop-by: nothing is registered in {home.root} yet; run once without it to train a segmenter, or name a server in "
            "MLFLOW_TRACKING_URI"
        )
    segmenter = REGISTERED[Task.SEGMENTATION]
    name, _, which = reference.rpartition("/")
    with ledger.answering(f"looking up {reference}"):
        registry = Registry(ledger)
        version = registry.named(segmenter, which) if name in ("", segmenter) else None
        if version is None:
            numbers = ", ".join(str(one.number) for one in registry.versions(segmenter)) or "none"
            raise ParamsError(f"--crop-by: {reference} is no version and no alias of {segmenter}; its versions are: {numbers}")
    return bundle_weights(version.label, version.digest)
