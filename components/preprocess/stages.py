"""The stages in the report's order, for one image or mask; the step, the bundle and serving all come through here."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from components.images import Mask, RGBImage, decode_image
from components.params import PreprocessParams
from components.preprocess.contrast import equalise, equalise_first
from components.preprocess.hair import blend_over, find_hair, find_hair_in_grey, paint_over
from components.preprocess.resize import resize_image, resize_mask

_YCrCb = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Stages:
    """One image after each stage: H x W x 3, uint8, RGB, all of one size. A stage that is switched off repeats the one before."""

    resized: RGBImage
    hairless: RGBImage
    equalised: RGBImage


def run_stages(image: RGBImage, size: tuple[int, int], params: PreprocessParams) -> Stages:
    """Resize, remove hair, equalise; arguments and errors as in `preprocess_image`."""
    resized = resize_image(image, size)
    if params.mode == "fast":
        hairless, equalised = _fast_stages(resized, params)
        return Stages(resized, _rgb_of(hairless), _rgb_of(equalised))
    hairless = resized
    if params.remove_hair:
        hair = find_hair(resized, kernel=params.hair_kernel, threshold=params.hair_threshold)
        hairless = paint_over(resized, hair, radius=params.inpaint_radius)
    equalised = equalise(hairless, clip_limit=params.clip_limit, tiles=params.tiles) if params.equalise else hairless
    return Stages(resized, hairless, equalised)


def _fast_stages(resized: RGBImage, params: PreprocessParams) -> tuple[_YCrCb, _YCrCb]:
    """Without hair, and equalised: the report's stages in YCrCb, whose Y is the grey in which hair is found.

    It costs a sixth of going to LAB and back; hairs are blended over, not inpainted.
    """
    hairless: _YCrCb = cv2.cvtColor(resized, cv2.COLOR_RGB2YCrCb)
    if params.remove_hair:
        grey = cv2.extractChannel(hairless, 0)
        hairless = blend_over(hairless, find_hair_in_grey(grey, kernel=params.hair_kernel, threshold=params.hair_threshold))
    if not params.equalise:
        return hairless, hairless
    return hairless, equalise_first(hairless, clip_limit=params.clip_limit, tiles=params.tiles)


def _rgb_of(pixels: _YCrCb) -> RGBImage:
    image: RGBImage = cv2.cvtColor(pixels, cv2.COLOR_YCrCb2RGB)
    return image


def preprocess_image(image: RGBImage, size: tuple[int, int], params: PreprocessParams) -> RGBImage:
    """Preprocess one image as the report does, up to its last stage (see `normalise`); in mode `exact` bit for bit.

    Args:
        image: H x W x 3, uint8, RGB, as it was decoded.
        size: height, width of the result, in pixels.
        params: what each stage is set to.

    Returns:
        height x width x 3, uint8, RGB.

    Raises:
        ImageFormatError: `image` is not H x W x 3 uint8.
    """
    if params.mode == "fast":
        return _rgb_of(_fast_stages(resize_image(image, size), params)[1])
    return run_stages(image, size, params).equalised


def read_image(data: bytes, name: str, size: tuple[int, int], params: PreprocessParams) -> RGBImage:
    """Decode and preprocess one encoded image; mode `fast` decodes no more than the size needs.

    Over real images a pixel of `fast` differs from that of `exact` by 4 to 5 grey levels of 255 on average. Most of it comes from
    decoding at a reduced scale: that averages what bilinear interpolation leaves out, and moves the edges of what counts as hair.

    Args:
        data: a JPEG or PNG.
        name: what to call it in an error.
        size: height, width of the result, in pixels.
        params: what each stage is set to.

    Returns:
        height x width x 3, uint8, RGB.

    Raises:
        ImageFormatError: see `components.images.decode_image`.
    """
    image = decode_image(data, name, at_least=size if params.mode == "fast" else None)
    return preprocess_image(image, size, params)


def preprocess_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """Bring a mask, H x W uint8 0 | 255 at any size of the same picture, to size (height, width); it stays 0 | 255."""
    return resize_mask(mask, size)
