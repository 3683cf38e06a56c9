"""mlflow/promotion.yaml, read: its policies, checked against the gates that there are."""

from typing import Any

import yaml
from pydantic import ValidationError

from components.errors import ParamsError
from components.files import sha256_bytes
from components.project import project_file
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
    for name, policy in promotion.policies.items():
        for gate in policy.approvable:
            if gate not in GATES:
                raise ParamsError(f"{path}: policies.{name}.approvable: {gate} is no gate; there are {', '.join(GATES)}")
    return promotion
