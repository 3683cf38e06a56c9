"""`python -m dermacare.api.openapi`: the OpenAPI document, from which the front end's client is made."""

import json
import sys

from dermacare.api.app import create_app


def document() -> str:
    """The document, sorted and indented, so that a change of it is a readable diff."""
    return json.dumps(create_app().openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
