"""The parameters of a run, read back from the flat texts under which MLflow keeps them."""

import ast
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from components.errors import RunError
from components.params import Params


def read_params(flat: Mapping[str, str], run_id: str) -> Params:
    """The parameters that `pipelines.publish.flat` made these texts of.

    Raises:
        RunError: they are not all there, or this program knows other ones.
    """
    nested: dict[str, Any] = {}
    for key, text in flat.items():
        *sections, name = key.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = _value(text, is_typed="overrides" not in sections)
    try:
        return Params.model_validate(nested)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise RunError(
            f"{run_id}: its parameters in MLflow are not those of this program ({field}: {first['msg']}); check its commit out"
        ) from error


def _value(text: str, *, is_typed: bool) -> Any:
    """A value that pydantic understands: of a field it knows the type, of an override it does not."""
    if is_typed and text != "None" and text[:1] not in ("[", "{"):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
