"""The segmenters by name, and their exact sizes."""

import re
import subprocess
import sys

import numpy as np
import pytest

from components.errors import ParamsError
from components.params import for_model, load_params
from components.train_unet.registry import architectures, build, check_sizes
from components.training.devices import start_afresh
from components.training.members import Parameters, count_parameters


def test_names_are_known_without_tensorflow() -> None:
    code = (
        "import sys, components.train_unet, components.train_unet.registry as r; print(*r.architectures()); "
        "assert not {'tensorflow', 'keras', 'onnx', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == architectures()


def test_the_u_net_has_the_reports_parameters() -> None:
    model = build("unet_plain", (256, 384), 0.1)
    assert count_parameters(model) == Parameters(total=2_164_593, trainable=2_161_649)
    assert model.count_params() - 2_161_649 == 2_944


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # Dilation costs none.
        ("unet_dilated", Parameters(total=2_164_593, trainable=2_161_649)),
        # 23,587,712 of ResNet50; the rest of the way up.
        ("unet_resnet50", Parameters(total=33_389_793, trainable=33_334_689)),
        ("unet_efficientnet_lite0", Parameters(total=3_124_673, trainable=3_083_873)),
    ],
)
def test_the_other_u_nets_have_as_many_parameters_as_their_files_say(name: str, parameters: Parameters) -> None:
    assert count_parameters(build(name, (64, 96), 0.1)) == parameters


def test_the_tiny_u_net_has_as_many_parameters_as_its_file_says() -> None:
    assert count_parameters(build("unet_tiny", (16, 16), 0.1)).total == 7_465


def test_a_seed_gives_the_same_weights_and_names_whatever_was_built_before() -> None:
    def built(seed: int) -> list[tuple[str, bytes]]:
        start_afresh(seed)
        return [(variable.path, np.array(variable).tobytes()) for variable in build("unet_tiny", (16, 16), 0.1).variables]

    first, second, other = built(1), built(1), built(2)
    assert first == second
    assert first[0][0] == other[0][0]
    assert first[0][1] != other[0][1]


@pytest.mark.parametrize("name", ["unet_plain", "unet_dilated", "unet_tiny"])
def test_a_mask_is_as_large_as_its_image_and_holds_probabilities(name: str) -> None:
    masks = np.array(build(name, (32, 48), 0.1)(np.random.default_rng(0).random((2, 32, 48, 3), np.float32)))
    assert masks.shape == (2, 32, 48, 1)
    assert (masks > 0).all()
    assert (masks < 1).all()


def test_an_unknown_name_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(ParamsError, match=r"train_unet\.models: unet is no architecture; there are unet_plain, .*unet_tiny"):
        build("unet", (32, 32), 0.1)


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("train_unet.input_size=[75,100]", "train_unet.input_size is 75 x 100"),
        ("preprocess.segmentation_size=[75,100]", "preprocess.segmentation_size is 75 x 100"),
        (
            "train_unet.progressive=[{epochs: 1, size: [64, 64]}, {epochs: 1, size: [75, 100]}]",
            "train_unet.progressive.1.size is 75 x 100",
        ),
    ],
)
def test_a_size_that_does_not_halve_is_an_error_that_says_which_does(assignment: str, told: str) -> None:
    params = load_params(assignments=["train_unet.models=[unet_plain]", assignment]).params
    with pytest.raises(ParamsError, match=rf"{re.escape(told)}, but unet_plain needs multiples of 16"):
        check_sizes(for_model(params.train_unet, "unet_plain"), params.preprocess)


def test_a_stage_that_is_larger_than_the_models_own_size_is_refused() -> None:
    params = load_params(profile="best", assignments=["preprocess.segmentation_size=[96,96]"]).params
    told = r"train_unet\.progressive\.0\.size is 128 x 160, more than the 96 x 96 of preprocess\.segmentation_size"
    with pytest.raises(ParamsError, match=told):
        check_sizes(for_model(params.train_unet, "unet_tiny"), params.preprocess)
