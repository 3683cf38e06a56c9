"""What the tests of preprocessing share."""

import pytest

from components.params import PreprocessParams, load_params
from components.project import project_file


@pytest.fixture
def report_params() -> PreprocessParams:
    """The report's settings; segmentation at the 256 x 384 of its model summary."""
    params = load_params(project_file("params.yaml")).params.preprocess
    return params.model_copy(update={"classification_size": (224, 224), "segmentation_size": (256, 384)})


@pytest.fixture
def small_params(report_params: PreprocessParams) -> PreprocessParams:
    """The same at sizes that tests can afford, four images a shard."""
    sizes = {"classification_size": (32, 40), "segmentation_size": (40, 48), "hair_kernel": 5, "shard_rows": 4}
    return report_params.model_copy(update=sizes)
