"""mlflow/promotion.yaml, read: its policies, checked against the gates that there are."""

import difflib
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

from components.errors import ParamsError
from components.files import sha256_bytes
from components.lesions import Task
from components.project import project_file
from components.promotion.figures import COMPARED
from components.promotion.gates import GATES
from components.promotion.policy import FILE, Promotion


def read_promotion() -> Promotion:
    """Read mlflow/promotion.yaml of the project.

    Raises:
        ParamsError: it cannot be read, or a field is absent, unknown or out of range.
    """
    path = project_file(FILE)
    try:
        text = path.read_bytes()
        values: Any = yaml.safe_load(text)
        promotion = Promotion.model_validate({**values, "digest": sha256_bytes(text)})
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise ParamsError(f"{path}: cannot be read ({str(error).splitlines()[0]}); mend it or take the packaged one") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ParamsError(f"{path}: {field}: {first['msg']}; docs/promotion.md explains each field") from error
    for field, sentence in _mistakes(promotion):
        raise ParamsError(f"{path}: {field}: {sentence}")
    return promotion


def _mistakes(promotion: Promotion) -> Iterator[tuple[str, str]]:
    """Fields whose values fit nothing that there is, each with the way out."""
    for name, policy in promotion.policies.items():
        for gate in policy.approvable:
            if gate not in GATES:
                yield f"policies.{name}.approvable", f"{gate} is no gate; there are {', '.join(GATES)}"
        if policy.approvals > 1 and not promotion.signers.root:
            yield (
                f"policies.{name}.approvals",
                "asks for several persons, but signers lists nobody, so that one with several keys counts as several; list a key "
                "for each (`dermacare history --key`)",
            )
        for task, key in ((Task.CLASSIFICATION, "classifier"), (Task.SEGMENTATION, "segmenter")):
            asked = policy.of(task)
            for field, figures in (("figure", [asked.figure] if asked.figure else []), ("gains", asked.gains)):
                for figure in figures:
                    if figure not in COMPARED[task]:
                        near = difflib.get_close_matches(figure, COMPARED[task], n=1)
                        known = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(COMPARED[task]))}"
                        yield f"policies.{name}.{key}.{field}", f"{figure} is no figure by which two models are compared; {known}"
