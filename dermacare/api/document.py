"""What FastAPI cannot tell OpenAPI by itself."""

from typing import Any

from fastapi import FastAPI

from dermacare.api.gate import OPEN

_IMAGE = "image/jpeg, image/png"
_FILES = {"image": _IMAGE, "images": f"{_IMAGE}, application/zip"}


def complete(app: FastAPI) -> None:
    """Complete an app's document; it is made once and kept by the app.

    Args:
        app: with all its routes.
    """
    document = app.openapi()
    schemes = document["components"].setdefault("securitySchemes", {})
    schemes["key"] = {"type": "http", "scheme": "bearer", "description": "asked for beyond loopback alone"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path not in OPEN:
                operation["security"] = [{}, {"key": []}]
            for parameter in operation.get("parameters", []):
                _complete_parameter(parameter["schema"])
            if "requestBody" in operation:
                _complete_form(operation["requestBody"]["content"]["multipart/form-data"], document["components"]["schemas"])


def _complete_parameter(schema: dict[str, Any]) -> None:
    """A header knows no null: it is left out."""
    for told in schema.pop("anyOf", []):
        if told != {"type": "null"}:
            schema.update(told)


def _complete_form(form: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A form knows no null: what is not told is left out, or left empty. And its files are of few types."""
    schema = schemas[form["schema"]["$ref"].rpartition("/")[2]]
    for name, field in schema["properties"].items():
        if name in _FILES:
            form["encoding"] = {name: {"contentType": _FILES[name]}}
        if name not in schema["required"]:
            told = [one for one in field.pop("anyOf", []) if one != {"type": "null"}]
            field["anyOf"] = [*(told or [{"type": field.pop("type")}]), {"type": "string", "const": ""}]
