"""What the tests of augmentation and balancing share."""

import pytest

from components.augment_balance.plan import Ranges
from components.params import AugmentBalanceParams, load_params
from components.project import project_file


@pytest.fixture(scope="session")
def params() -> AugmentBalanceParams:
    return load_params(project_file("params.yaml")).params.augment_balance


@pytest.fixture(scope="session")
def still(params: AugmentBalanceParams) -> AugmentBalanceParams:
    """Nothing is drawn: every sample is the stored image."""
    nothing = {"rotation": 0, "horizontal_flip": False, "vertical_flip": False, "zoom": 0, "brightness": 0}
    return params.model_copy(update=nothing)


@pytest.fixture(scope="session")
def ranges() -> Ranges:
    return Ranges(rotation=45, horizontal_flip=True, vertical_flip=True, zoom=0.2, brightness=0.2)
