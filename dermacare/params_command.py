"""`dermacare params`: every parameter, explained."""

from typing import Any

import yaml
from rich.table import Table

from components.params import Resolved, describe, sources_of
from dermacare.console import console


def show_params(resolved: Resolved, *, as_yaml: bool) -> None:
    """Print all parameters, as a table or as a params.yaml."""
    values = resolved.params.model_dump(mode="json", by_alias=True)
    if as_yaml:
        print(yaml.safe_dump(values, sort_keys=False, default_flow_style=None), end="")
        return
    table = Table("parameter", "value", "type", "range", "from", "meaning")
    for key, (kind, limits, meaning) in describe().items():
        by = sources_of(key, resolved.sources)
        table.add_row(key, str(_value(values, key)), kind, limits, by[-1] if by else "params.yaml", meaning)
    console.print(table)


def _value(values: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values
