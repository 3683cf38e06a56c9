"""What the tests of augmentation and balancing share."""

import pytest

from components.augment_balance.draws import Draw
from components.augment_balance.plan import Ranges
from components.params import AugmentBalanceParams, load_params
from components.project import project_file

STILL = Draw(rotation=0, mirrored=False, flipped=False, zoom=1, brightness=0, contrast=1, saturation=1, hue=0, hair=None)


@pytest.fixture(scope="session")
def params() -> AugmentBalanceParams:
    return load_params(project_file("params.yaml"), profile="report").params.augment_balance


@pytest.fixture(scope="session")
def still(params: AugmentBalanceParams) -> AugmentBalanceParams:
    """Nothing is drawn: every sample is the stored image."""
    ranges = params.model_dump(include=set(Ranges.model_fields))
    return params.model_copy(update={name: type(value)(0) for name, value in ranges.items()})


@pytest.fixture(scope="session")
def ranges() -> Ranges:
    return Ranges(
        rotation=45,
        horizontal_flip=True,
        vertical_flip=True,
        zoom=0.2,
        brightness=0.2,
        contrast=0.3,
        saturation=0.4,
        hue=0.1,
        hair=0.25,
    )
