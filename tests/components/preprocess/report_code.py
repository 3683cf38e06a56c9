"""The report's preprocessing, written out plainly: what ours is held against, bit for bit (tests) and for speed (bench)."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt


def preprocess_as_the_report_does(path: Path, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Chapter 4 of the report, before its division by 255: height x width x 3 uint8, BGR as OpenCV reads it."""
    image = cv2.imread(str(path))
    image = cv2.resize(image, (width, height))

    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    kernel = cv2.getStructuringElement(1, (17, 17))
    blackhat = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel)
    _, hair = cv2.threshold(blackhat, 10, 255, cv2.THRESH_BINARY)
    image = cv2.inpaint(image, hair, 1, cv2.INPAINT_TELEA)

    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    lightness, a, b = cv2.split(lab)
    clahe = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8))
    lightness = clahe.apply(lightness)
    return cv2.cvtColor(cv2.merge((lightness, a, b)), cv2.COLOR_LAB2BGR)
