"""What MLflow and the ledger know of a serving model, put together once when it is fetched."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from components.bundle import CARD, Description, read_description
from components.errors import TrackingError
from components.lesions import CODES, Diagnosis, Task
from components.promotion.entries import Action, Entry, Version
from components.promotion.figures import NAMES
from components.promotion.releases import standing
from components.scores import SCORES_FILE, ClassifierScores, ModelScores, SegmenterScores
from components.tracking import Ledger
from pipelines.serving.facts import (
    Confusion,
    DecisionFacts,
    DiagnosisFigure,
    Figure,
    ModelFacts,
    ModelRef,
    TrainingData,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

_SCORES: TypeAdapter[ClassifierScores | SegmenterScores] = TypeAdapter(ModelScores)
_FIGURES: Mapping[Task, tuple[str, ...]] = {
    Task.CLASSIFICATION: (
        "balanced_accuracy",
        "macro_f1",
        "macro_auc",
        "accuracy",
        "malignant/auc",
        "malignant/sensitivity",
        "malignant/specificity",
        "melanoma_sensitivity",
        "ece",
    ),
    Task.SEGMENTATION: ("dice", "jaccard", "thresholded_jaccard", "boundary_f1", "sensitivity", "specificity"),
}
_FEW = 30


def learn_facts(mlflow: Ledger | None, entries: Sequence[Entry], version: Version, bundle: Path) -> ModelFacts:
    """Put together what is known of a version.

    Args:
        mlflow: None: this home has none.
        entries: the whole ledger.
        version: which.
        bundle: its bundle's folder.

    Raises:
        BundleError: it is none.
    """
    description = read_description(bundle)
    metrics: Mapping[str, float] = {}
    scores: ClassifierScores | SegmenterScores | None = None
    data, missing = _no_data(description), None
    try:
        if mlflow is None:
            raise TrackingError("this home has no MLflow")
        with mlflow.answering(f"looking up {version.label}"):
            run = _run_of(mlflow, version)
            metrics, data = run.data.metrics, _data(run, description)
            scores = _scores(mlflow, run)
        if scores is None:
            what = "confusion matrix" if description.task is Task.CLASSIFICATION else "whole evaluation"
            missing = f"MLflow has no {what} of it: a version before this one published it"
    except TrackingError as error:
        missing = str(error)
    height, width = description.input_size
    return ModelFacts(
        reference=ModelRef(
            name=version.name,
            version=version.number,
            digest=version.digest,
            architecture=description.architecture,
            data_version=description.data_version,
            phantom=description.saw_drawn,
        ),
        run_id=version.run_id,
        parameters=description.parameters_total,
        input_height=height,
        input_width=width,
        calibrated=description.temperature is not None,
        refuses=description.refuses is not None,
        card=(bundle / CARD).read_text("utf-8"),
        figures=_figures(description.task, metrics),
        diagnoses=_diagnoses(metrics) if description.task is Task.CLASSIFICATION else [],
        confusion=_confusion(scores),
        data=data,
        decision=_decision(entries, version),
        limits=_limits(description, metrics, scores),
        missing=missing,
    )


def _run_of(mlflow: Ledger, version: Version) -> "Run":
    known = mlflow.client.get_model_version(version.name, str(version.number))
    return mlflow.client.get_run(str(known.run_id))


def _scores(mlflow: Ledger, run: "Run") -> ClassifierScores | SegmenterScores | None:
    """The scores that the run published; None where it published none, as before they were kept."""
    from mlflow.artifacts import download_artifacts

    there = [file.path for file in mlflow.client.list_artifacts(run.info.run_id)]
    if SCORES_FILE not in there:
        return None
    with tempfile.TemporaryDirectory(prefix="dermacare-") as folder:
        place = download_artifacts(run_id=run.info.run_id, artifact_path=SCORES_FILE, dst_path=folder, tracking_uri=mlflow.uri)
        try:
            return _SCORES.validate_json(Path(place).read_bytes())
        except ValidationError:
            return None  # an older or newer version of this program wrote it


def _no_data(description: Description) -> TrainingData:
    return TrainingData(data_version=description.data_version, images=None, sources=[], licences=[])


def _data(run: "Run", description: Description) -> TrainingData:
    """The data that the run used, where the model was trained on it and not on that of another run."""
    for used in run.inputs.dataset_inputs if run.inputs else []:
        profile = json.loads(used.dataset.profile or "{}")
        if profile.get("data_version") == description.data_version:
            images = profile.get("images", {}).get(description.task.value, {})
            return TrainingData(
                data_version=description.data_version,
                images=sum(images.values()) if images else None,
                sources=used.dataset.name.split(" + "),
                licences=profile.get("licences", []),
            )
    return _no_data(description)


def _figures(task: Task, metrics: Mapping[str, float]) -> list[Figure]:
    images = int(metrics.get("test/images", 0))
    return [
        Figure(
            name=name,
            value=metrics.get(f"test/{name}"),
            low=metrics.get(f"test/{name}_low"),
            high=metrics.get(f"test/{name}_high"),
            images=images,
        )
        for name in _FIGURES[task]
        if images
    ]


def _diagnoses(metrics: Mapping[str, float]) -> list[DiagnosisFigure]:
    found = []
    for code in CODES:
        if f"test/{code}/support" in metrics:
            support = int(metrics[f"test/{code}/support"])
            sensitivity = metrics.get(f"test/{code}/recall") if support else None
            found.append(DiagnosisFigure(code=Diagnosis(code), support=support, sensitivity=sensitivity))
    return found


def _confusion(scores: ClassifierScores | SegmenterScores | None) -> Confusion | None:
    if not isinstance(scores, ClassifierScores):
        return None
    return Confusion(codes=list(Diagnosis), counts=scores.test.confusion)


def _decision(entries: Sequence[Entry], version: Version) -> DecisionFacts | None:
    where = standing(entries, version)
    if where.entry is None or where.decision is None:
        return None
    approvals = [
        entry.actor
        for entry in entries
        if entry.action is Action.APPROVE and entry.subject == version and entry.number > where.entry.number
    ]
    return DecisionFacts(
        outcome=where.decision.outcome.value,
        reason=where.decision.reason,
        policy=where.entry.policy or None,
        decided=datetime.fromisoformat(where.entry.time),
        approved_by=approvals,
    )


def _limits(description: Description, metrics: Mapping[str, float], scores: ClassifierScores | SegmenterScores | None) -> list[str]:
    """What a reader must know before an answer is believed, one sentence each."""
    limits = ["It is software for research and no medical device."]
    if description.saw_drawn:
        limits.append("It was trained on drawn images: it knows nothing about skin.")
    if description.task is Task.CLASSIFICATION:
        limits.append(
            "It knows eight diagnoses alone; what is none of them is named as one of them"
            + (", unless it is so strange that it is refused." if description.refuses is not None else ".")
        )
        if description.temperature is None:
            limits.append("Its probabilities are not calibrated: they rank diagnoses and are no chances.")
        few = [one.code.value for one in _diagnoses(metrics) if one.support < _FEW]
        if few:
            limits.append(f"Fewer than {_FEW} test images show {', '.join(few)}: how well it finds them is hardly known.")
    gap = scores.largest_gap if scores else None
    if gap is not None and gap.low > 0:
        figure = NAMES.get(gap.figure, gap.figure)
        limits.append(
            f"On {gap.dimension} {gap.value} it is worse than on the other images: {figure} lower by {gap.gap:.2f} "
            f"(95 % interval {gap.low:.2f} to {gap.high:.2f})."
        )
    return limits
