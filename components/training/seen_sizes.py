"""The sizes of the images that a model sees while it is trained, known from the parameters alone."""

import math

from components.errors import ParamsError
from components.params import PreprocessParams, TrainClassifierParams, TrainUnetParams


def seen_sizes(params: TrainUnetParams | TrainClassifierParams, preprocess: PreprocessParams) -> dict[str, tuple[int, int]]:
    """Height, width in pixels of all images of a training, by the dotted name of the parameter that sets each.

    Raises:
        ParamsError: a stage of `progressive` has more pixels than the model's own size.
    """
    if isinstance(params, TrainUnetParams):
        section, stored, size = "train_unet", "preprocess.segmentation_size", preprocess.segmentation_size
    else:
        section, stored, size = "train_classifier", "preprocess.classification_size", preprocess.classification_size
    own, (height, width) = (stored, size) if params.input_size is None else (f"{section}.input_size", params.input_size)
    stages = {f"{section}.progressive.{number}.size": stage.size for number, stage in enumerate(params.progressive)}
    for field, larger in stages.items():
        if math.prod(larger) > height * width:
            raise ParamsError(
                f"{field} is {larger[0]} x {larger[1]}, more than the {height} x {width} of {own}; set it smaller, or "
                f"{section}.progressive to []"
            )
    return {own: (height, width)} | stages
