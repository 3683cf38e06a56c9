"""A bundle as MLflow's model: stored once, whoever logs it; signature and input example included."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import numpy as np

from components.bundle import Description, bundle_digest
from components.files import link_files
from components.lesions import Task
from components.store import link_tree
from components.tracking import Ledger

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

BUNDLE = "dermacare.bundle"
"""Tag of MLflow's models and model versions: `bundle_digest`."""

_SCRIPT = Path(__file__).with_name("pyfunc_model.py")


def ensure_logged_model(
    ledger: Ledger, run: str, bundle: Path, description: Description, tags: Mapping[str, str], work: Path
) -> str:
    """Find MLflow's model of a bundle, or store it; either way it becomes an output of the run.

    A model that a killed attempt left half stored is stored again, under the id that it has.

    Args:
        ledger: where.
        run: MLflow's id of the model's run.
        bundle: the bundle's folder.
        description: what it says of itself.
        tags: more tags of MLflow's model.
        work: folder for what is stored, while it is put together; in the bundle's file system, so that links do.

    Returns:
        MLflow's id of the model.
    """
    model = _find(ledger, bundle_digest(bundle))
    if model is None:
        model = ledger.client.create_logged_model(
            ledger.experiment_id,
            name=description.name,
            source_run_id=run,
            tags={**tags, BUNDLE: bundle_digest(bundle)},
            model_type=description.task.value,
        )
    if model.status != "READY":
        _store(ledger, model, bundle, description, work / f"model-{description.name}")
        ledger.client.finalize_logged_model(model.model_id, "READY")
    _link(ledger, run, model.model_id)
    return str(model.model_id)


def find_source_run(ledger: Ledger, bundle: Path) -> str | None:
    """MLflow's id of the run that a bundle was first stored by, or None where it is not stored yet."""
    model = _find(ledger, bundle_digest(bundle))
    return None if model is None else model.source_run_id


def _find(ledger: Ledger, digest: str) -> "LoggedModel | None":
    found = ledger.client.search_logged_models([ledger.experiment_id], filter_string=f"tags.`{BUNDLE}` = '{digest}'")
    return min(found, key=lambda model: (model.status != "READY", model.creation_timestamp), default=None)


def _link(ledger: Ledger, run: str, model_id: str) -> None:
    from mlflow.entities import LoggedModelOutput

    outputs = ledger.client.get_run(run).outputs
    if model_id not in [output.model_id for output in (outputs.model_outputs if outputs else [])]:
        ledger.client.log_outputs(run, [LoggedModelOutput(model_id, step=0)])


def _store(ledger: Ledger, model: "LoggedModel", bundle: Path, description: Description, folder: Path) -> None:
    _put_together(folder, model, bundle, description)
    if model.artifact_location.startswith("file:"):
        # Hard links: hundreds of megabytes that are neither copied nor stored twice.
        link_tree(folder, Path(unquote(urlsplit(model.artifact_location).path)))
    else:
        ledger.client.log_model_artifacts(model.model_id, str(folder))
    shutil.rmtree(folder)


def _put_together(folder: Path, model: "LoggedModel", bundle: Path, description: Description) -> None:
    """Write MLflow's model folder. The bundle is linked in afterwards: MLflow itself would copy it twice."""
    import mlflow.pyfunc
    from mlflow.models import Model

    if folder.exists():
        shutil.rmtree(folder)
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(_SCRIPT),
        signature=_signature(description),
        input_example=_example(description),
        pip_requirements=_requirements(),
        mlflow_model=Model(model_id=model.model_id, run_id=model.source_run_id),
        metadata={"phantom": description.saw_drawn, "data_version": description.data_version},
    )
    stored = folder / "artifacts" / "bundle"
    stored.mkdir(parents=True)
    link_files(bundle, stored, description.files)
    described = Model.load(str(folder))
    flavour = described.flavors["python_function"]
    flavour["artifacts"] = {"bundle": {"path": "artifacts/bundle", "uri": "bundle"}}
    flavour["model_code_path"] = _SCRIPT.name
    described.model_size_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    described.save(str(folder / "MLmodel"))


def _signature(description: Description) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    image = Schema([ColSpec(DataType.binary, "image")])
    if description.task is Task.CLASSIFICATION:
        codes = [ColSpec(DataType.double, f"p_{code}") for code in description.classes]
        sets = [ColSpec(DataType.string, "set")] if description.conformal is not None else []
        refused = [ColSpec(DataType.boolean, "refused")] if description.refuses is not None else []
        return ModelSignature(image, Schema([ColSpec(DataType.string, "diagnosis"), *codes, *sets, *refused]))
    return ModelSignature(image, Schema([ColSpec(DataType.binary, "mask"), ColSpec(DataType.double, "lesion_share")]))


def _example(description: Description) -> object:
    """One encoded picture: a brown disc on skin, nobody's."""
    import cv2
    import pandas as pd

    height, width = description.stored_size
    picture = np.full((height, width, 3), (165, 190, 232), np.uint8)
    cv2.circle(picture, (width // 2, height // 2), min(height, width) // 4, (45, 80, 130), -1, cv2.LINE_AA)
    return pd.DataFrame({"image": [cv2.imencode(".png", picture)[1].tobytes()]})


def _requirements() -> list[str]:
    from importlib.metadata import version

    return [f"{package}=={version(package)}" for package in ("dermacare", "mlflow", "onnxruntime")]
