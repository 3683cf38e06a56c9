"""The sizes of the images that a model sees while it is trained, known from the parameters alone."""

from components.params import PreprocessParams, TrainClassifierParams, TrainUnetParams


def seen_sizes(params: TrainUnetParams | TrainClassifierParams, preprocess: PreprocessParams) -> dict[str, tuple[int, int]]:
    """Height, width in pixels of all images of a training, by the dotted name of the parameter that sets each."""
    if isinstance(params, TrainUnetParams):
        section, stored, size = "train_unet", "preprocess.segmentation_size", preprocess.segmentation_size
    else:
        section, stored, size = "train_classifier", "preprocess.classification_size", preprocess.classification_size
    used = {stored: size} if params.input_size is None else {f"{section}.input_size": params.input_size}
    return used | {f"{section}.progressive.{number}.size": stage.size for number, stage in enumerate(params.progressive)}
