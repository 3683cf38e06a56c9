import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from dermacare.api import examples
from dermacare.api.gate import OPEN
from dermacare.api.openapi import document
from dermacare.api.schemas import BatchPrediction, LesionType, Prediction, ServingModels

COMMITTED = Path(__file__).parents[3] / "dermacare" / "web" / "openapi.json"


def test_the_front_ends_copy_of_the_contract_is_the_servers() -> None:
    assert COMMITTED.read_text() == document(), "python -m dermacare.api.openapi > dermacare/web/openapi.json"


def test_every_address_that_asks_for_a_key_says_so() -> None:
    for path, operations in json.loads(document())["paths"].items():
        for operation in operations.values():
            assert ("security" in operation, "401" in operation["responses"]) == ((path not in OPEN,) * 2), path


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        (Prediction, examples.PREDICTION),
        (BatchPrediction, examples.BATCH),
        (ServingModels, examples.SERVING),
        (list[LesionType], examples.LESION_TYPES),
    ],
)
def test_an_example_is_an_answer(schema: object, example: object) -> None:
    TypeAdapter(schema).validate_python(example)
