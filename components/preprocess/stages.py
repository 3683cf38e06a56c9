"""The stages in the report's order, for one image or mask; the step, the bundle and serving all come through here."""

from dataclasses import dataclass

from components.images import Mask, RGBImage
from components.params import PreprocessParams
from components.preprocess.contrast import equalise
from components.preprocess.hair import remove_hair
from components.preprocess.resize import resize_image, resize_mask


@dataclass(frozen=True)
class Stages:
    """One image after each stage: H x W x 3, uint8, RGB, all of one size. A stage that is switched off repeats the one before."""

    resized: RGBImage
    hairless: RGBImage
    equalised: RGBImage


def run_stages(image: RGBImage, size: tuple[int, int], params: PreprocessParams) -> Stages:
    """Resize, remove hair, equalise; arguments and errors as in `preprocess_image`."""
    resized = resize_image(image, size)
    hairless = resized
    if params.remove_hair:
        hairless = remove_hair(resized, kernel=params.hair_kernel, threshold=params.hair_threshold, radius=params.inpaint_radius)
    equalised = equalise(hairless, clip_limit=params.clip_limit, tiles=params.tiles) if params.equalise else hairless
    return Stages(resized, hairless, equalised)


def preprocess_image(image: RGBImage, size: tuple[int, int], params: PreprocessParams) -> RGBImage:
    """Preprocess one image as the report does, bit for bit, up to its last stage (see `normalise`).

    Args:
        image: H x W x 3, uint8, RGB, as it was decoded.
        size: height, width of the result, in pixels.
        params: what each stage is set to.

    Returns:
        height x width x 3, uint8, RGB.

    Raises:
        ImageFormatError: `image` is not H x W x 3 uint8.
    """
    return run_stages(image, size, params).equalised


def preprocess_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """Bring a mask, H x W uint8 0 | 255 at any size of the same picture, to size (height, width); it stays 0 | 255."""
    return resize_mask(mask, size)
