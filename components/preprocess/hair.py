"""Digital hair removal (DullRazor, Lee 1997): find hairs, then fill them with the skin around them."""

import cv2

from components.images import Mask, RGBImage, require_rgb


def find_hair(image: RGBImage, *, kernel: int = 17, threshold: int = 10) -> Mask:
    """Mark thin dark structures: hairs, and what looks like them.

    The black-hat (closing minus image) is high where something dark is narrower than the structuring element, a cross
    (report, chapter 4).

    Args:
        image: H x W x 3, uint8, RGB.
        kernel: side of the cross, in pixels of `image`; 3 or more. Hairs wider than this stay.
        threshold: black-hat response above which a pixel counts as hair, in grey levels, 0 to 255.

    Returns:
        H x W, uint8: 255 hair, 0 none.

    Raises:
        ImageFormatError: `image` is not H x W x 3 uint8.
    """
    return find_hair_in_grey(cv2.cvtColor(require_rgb(image), cv2.COLOR_RGB2GRAY), kernel=kernel, threshold=threshold)


def find_hair_in_grey(grey: Mask, *, kernel: int, threshold: int) -> Mask:
    """`find_hair` where the image's grey levels, H x W uint8, are there already."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (kernel, kernel))
    response = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, cross)
    hair: Mask = cv2.threshold(response, threshold, 255, cv2.THRESH_BINARY)[1]
    return hair


def paint_over(image: RGBImage, hair: Mask, *, radius: int = 1) -> RGBImage:
    """Fill marked pixels from the skin around them by fast marching (report, chapter 4; Telea 2004).

    Args:
        image: H x W x 3, uint8, RGB.
        hair: H x W, uint8: 255 where to fill.
        radius: how far, in pixels, the filling looks around each pixel; 1 or more.

    Returns:
        A new array of the same shape and dtype.
    """
    painted: RGBImage = cv2.inpaint(image, hair, radius, cv2.INPAINT_TELEA)
    return painted


def blend_over(image: RGBImage, hair: Mask) -> RGBImage:
    """Fill marked pixels with the mean of the unmarked ones around them, in a tenth of `paint_over`'s time.

    Normalised convolution (Knutsson and Westin 1993) with a box of 5 pixels; what it does not reach is filled by one three times as
    wide, from what is filled by then, and so on.

    Args:
        image: H x W x 3, uint8, in any colour space.
        hair: H x W, uint8: 255 where to fill.

    Returns:
        A new array of the same shape and dtype; an image that is marked as a whole comes back as it is.
    """
    blended = image.copy()
    side = 5
    while cv2.hasNonZero(hair) and side < 3 * max(hair.shape):
        known = cv2.bitwise_not(hair)
        weight = cv2.blur(known, (side, side))
        mean = cv2.divide(cv2.blur(cv2.copyTo(blended, known), (side, side)), cv2.merge((weight, weight, weight)), scale=255)
        # Fewer known pixels than this round too coarsely in 8 bits.
        reached = cv2.bitwise_and(hair, cv2.compare(weight, 12, cv2.CMP_GT))
        cv2.copyTo(mean, reached, blended)
        hair = cv2.bitwise_xor(hair, reached)
        side *= 3
    return blended
