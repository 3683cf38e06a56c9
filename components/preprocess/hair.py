"""Digital hair removal."""

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
    grey = cv2.cvtColor(require_rgb(image), cv2.COLOR_RGB2GRAY)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (kernel, kernel))
    response = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, cross)
    hair: Mask = cv2.threshold(response, threshold, 255, cv2.THRESH_BINARY)[1]
    return hair


def remove_hair(image: RGBImage, *, kernel: int = 17, threshold: int = 10, radius: int = 1) -> RGBImage:
    """Paint over dark hairs with the skin around them.

    Black-hat morphology finds them, fast marching fills them (report, chapter 4; DullRazor, Lee 1997; Telea 2004).

    Args:
        image: H x W x 3, uint8, RGB.
        kernel: see `find_hair`.
        threshold: see `find_hair`.
        radius: how far, in pixels, the filling looks around each pixel; 1 or more.

    Returns:
        An array of the same shape and dtype; `image` itself is not changed, and comes back where it shows no hair.

    Raises:
        ImageFormatError: `image` is not H x W x 3 uint8.
    """
    hair = find_hair(image, kernel=kernel, threshold=threshold)
    if not cv2.hasNonZero(hair):
        return image
    painted: RGBImage = cv2.inpaint(image, hair, radius, cv2.INPAINT_TELEA)
    return painted
