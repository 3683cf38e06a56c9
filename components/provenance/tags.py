"""Tags of a model's MLflow run that its chain is read from, besides those of `components.tracking` and `components.register`."""

IMAGES = "dermacare.images"
"""See `components.provenance.images`."""

DVC_REVISION = "dermacare.dvc_revision"
"""Where DVC has the data: `dvc:repository:path@commit`, or `data/validate <MD5>.dir` as dvc.lock names it."""

LOCK = "dermacare.lock"
"""SHA-256 of requirements.lock."""

CODE = "dermacare.code"
"""Digest of the code and the lock of the training step: see `components.store.code_digest`."""

MACHINE = "dermacare.machine"
"""On what it was trained, a line a machine: see `components.provenance.machine`."""

TRAINED_BY = "dermacare.trained_by"
"""Our id of the earlier run that trained a model; absent where it was trained by the run that publishes it."""
