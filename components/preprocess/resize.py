"""Sizes of images and masks; every size is (height, width), as arrays have it."""

import cv2

from components.images import Mask, RGBImage, require_rgb


def resize_image(image: RGBImage, size: tuple[int, int]) -> RGBImage:
    """Scale an image to the stored size, by bilinear interpolation (report, chapter 4); the aspect ratio is not kept.

    Args:
        image: H x W x 3, uint8, RGB.
        size: height, width in pixels.

    Raises:
        ImageFormatError: `image` is not H x W x 3 uint8.
    """
    height, width = size
    resized: RGBImage = cv2.resize(require_rgb(image), (width, height))
    return resized


def resize_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """Scale a mask, H x W uint8 0 | 255, to size (height, width): each pixel takes its nearest one, so no value is new.

    `INTER_NEAREST_EXACT` takes the pixel at the centre of the new one, as bilinear interpolation does for the image;
    `INTER_NEAREST` takes its upper left corner, which moves the outline by up to half a pixel against the image.
    """
    height, width = size
    resized: Mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return resized


def fit_input(image: RGBImage, size: tuple[int, int] | None) -> RGBImage:
    """Scale a preprocessed image to the size (height, width) that a model sees, averaging areas; None leaves it as stored.

    Training, evaluation and serving all come through here, so that a model sees the same pixels everywhere.
    """
    if size is None or image.shape[:2] == tuple(size):
        return image
    height, width = size
    fitted: RGBImage = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return fitted
