"""From encoded bytes to pixels, here alone: JPEG and PNG in, 8-bit RGB images and 0 | 255 masks out."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import numpy.typing as npt
from simplejpeg import decode_jpeg

from components.decoder_messages import DecoderMessages
from components.errors import ImageFormatError

RGBImage = npt.NDArray[np.uint8]
"""H x W x 3, uint8, RGB."""
Mask = npt.NDArray[np.uint8]
"""H x W, uint8: 255 lesion, 0 skin."""

MAX_PIXELS = 100_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_END_OF_IMAGE = b"\xff\xd9"
# Start-of-frame markers: 0xC0 to 0xCF, but for DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_SIDEWAYS = frozenset({5, 6, 7, 8})

_MESSAGES = DecoderMessages()


def read_size(data: bytes, name: str) -> tuple[int, int]:
    """Height and width of an image or mask in pixels, EXIF rotation applied, from its header alone.

    Args:
        data: an encoded JPEG or PNG.
        name: what to call it in an error.

    Raises:
        ImageFormatError: neither JPEG nor PNG, a damaged header, or more than 100 megapixels (a decompression bomb).
    """
    height, width, orientation = _read_header(data, name)
    return (width, height) if orientation in _SIDEWAYS else (height, width)


def read_orientation(data: bytes, name: str) -> int:
    """The EXIF orientation of an image, 1 to 8 (1: upright); 1 where there is none.

    Raises:
        ImageFormatError: as `read_size`.
    """
    return _read_header(data, name)[2]


def _read_header(data: bytes, name: str) -> tuple[int, int, int]:
    """Height, width as they are stored, and the EXIF orientation."""
    if data.startswith(_PNG):
        height, width, orientation = _png_header(data, name)
    elif data.startswith(_JPEG):
        height, width, orientation = _jpeg_header(data, name)
    else:
        raise ImageFormatError(f"{name}: is neither a JPEG nor a PNG; convert it or leave it out")
    if height * width > MAX_PIXELS:
        raise ImageFormatError(
            f"{name}: says that it is {width} x {height} pixels, more than the {MAX_PIXELS // 1_000_000} megapixels that "
            "are decoded; scale it down"
        )
    if height == 0 or width == 0:
        raise ImageFormatError(f"{name}: says that it is {width} x {height} pixels; get it again")
    return height, width, orientation


def require_rgb(image: RGBImage) -> RGBImage:
    """The image itself.

    Raises:
        ImageFormatError: it is not H x W x 3 uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        received = " x ".join(map(str, image.shape)) + f" {image.dtype}"
        raise ImageFormatError(f"image: is {received}; it must be height x width x 3 uint8 in RGB: decode it with decode_image")
    return image


def decode_image(data: bytes, name: str, *, at_least: tuple[int, int] | None = None) -> RGBImage:
    """Decode a JPEG or PNG: the pixels that `cv2.imread` gives, in RGB.

    Grey, palette, 16-bit, CMYK and alpha images become 8-bit RGB (alpha is dropped); EXIF rotation is applied.

    Args:
        data: an encoded JPEG or PNG.
        name: what to call it in an error.
        at_least: height, width. A JPEG of twice this size or more comes scaled down, but not below it, by leaving out coefficients
            of its cosine transform, which is quicker than decoding all; other files come whole. None: all come whole.

    Returns:
        H x W x 3, uint8, RGB.

    Raises:
        ImageFormatError: what `read_size` refuses, or the file is truncated or damaged.
    """
    header = _read_header(data, name)
    _refuse_truncated(data, name)
    pixels = _decode_plain_jpeg(data, header, at_least)
    return _decode(data, name, cv2.IMREAD_COLOR_RGB) if pixels is None else pixels


def _decode_plain_jpeg(data: bytes, header: tuple[int, int, int], at_least: tuple[int, int] | None) -> RGBImage | None:
    """What libjpeg-turbo itself gives, the pixels of OpenCV in less time; None: it is no sound, upright JPEG in colour or grey."""
    height, width, orientation = header
    if not data.startswith(_JPEG) or orientation != 1:
        return None
    least_height, least_width = at_least or (0, 0)
    try:
        pixels: RGBImage = decode_jpeg(data, "RGB", min_height=least_height, min_width=least_width, min_factor=2 if at_least else 1)
    except ValueError:
        return None  # damaged, or merely unusual: OpenCV, watched, tells
    return pixels if at_least or pixels.shape[:2] == (height, width) else None


def decode_mask(data: bytes, name: str) -> Mask:
    """Decode a lesion mask; values other than 0 and 255 are repaired as `decode_mask_checked` says.

    Returns:
        H x W, uint8, 0 | 255.

    Raises:
        ImageFormatError: as `decode_image`.
    """
    return decode_mask_checked(data, name)[0]


def decode_mask_checked(data: bytes, name: str) -> tuple[Mask, bool]:
    """Decode a lesion mask, and say whether it had to be repaired.

    A mask that holds other values than 0 and 255 (0 | 1 masks, JPEG noise, smoothed outlines, coloured palettes) is cut at half of
    its largest value: brighter is lesion.

    Returns:
        The mask, H x W, uint8, 0 | 255; and whether other values were there.

    Raises:
        ImageFormatError: as `decode_image`.
    """
    grey = _decode(data, name, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    top = np.iinfo(grey.dtype).max
    repaired = not np.all((grey == 0) | (grey == top))
    threshold = int(grey.max()) / 2 if repaired else 0
    return np.where(grey > threshold, np.uint8(255), np.uint8(0)), repaired


def _decode(data: bytes, name: str, flags: int) -> npt.NDArray[np.uint8]:
    size = read_size(data, name)
    _refuse_truncated(data, name)
    encoded = np.frombuffer(data, np.uint8)
    pixels, damage = _watched(encoded, flags)
    if damage and pixels is not None:
        # The lines may be those of an image that another thread decoded in the same moment.
        pixels, damage = _watched(encoded, flags, alone=True)
    if pixels is None or damage:
        raise ImageFormatError(f"{name}: its pixels are damaged ({'; '.join(damage) or 'they cannot be decoded'}); get it again")
    if pixels.shape[:2] != size:
        raise ImageFormatError(f"{name}: its header and its pixels differ in size; get it again")
    return pixels


def _watched(encoded: npt.NDArray[np.uint8], flags: int, *, alone: bool = False) -> tuple[npt.NDArray[np.uint8] | None, list[str]]:
    with _MESSAGES.watch(alone=alone) as damage:
        try:
            pixels: npt.NDArray[np.uint8] | None = cv2.imdecode(encoded, flags)
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem:
                raise MemoryError(error.err) from error
            return None, [error.err]
    return pixels, damage


def _refuse_truncated(data: bytes, name: str) -> None:
    # Some versions of OpenCV fill what is missing with grey and say nothing, so the end is looked for first.
    if data.startswith(_PNG):
        whole = any(kind == b"IEND" for kind, _, _ in _png_chunks(data))
    else:
        scan = max(end for _, _, end in _jpeg_segments(data, name))
        whole = data.rfind(_END_OF_IMAGE, scan) >= 0
    if not whole:
        raise ImageFormatError(f"{name}: ends before its image does (it is truncated); get it again")


def _png_header(data: bytes, name: str) -> tuple[int, int, int]:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ImageFormatError(f"{name}: is a PNG without a header; get it again")
    width, height = struct.unpack(">II", data[16:24])
    exif = next((data[start:end] for kind, start, end in _png_chunks(data) if kind == b"eXIf"), b"")
    return height, width, _orientation(exif)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each whole chunk's content."""
    place = len(_PNG)
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4], "big")
        if end + 4 > len(data):
            return
        yield data[place + 4 : place + 8], place + 8, end
        place = end + 4


def _jpeg_header(data: bytes, name: str) -> tuple[int, int, int]:
    orientation = 1
    for marker, start, end in _jpeg_segments(data, name):
        if marker == 0xE1 and data.startswith(_EXIF, start):
            orientation = _orientation(data[start + len(_EXIF) : end])
        elif marker in _FRAMES and len(data) >= start + 5:
            height, width = struct.unpack(">HH", data[start + 1 : start + 5])
            return height, width, orientation
    raise ImageFormatError(f"{name}: is a JPEG without a frame header; get it again")


def _jpeg_segments(data: bytes, name: str) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment's content, up to the first scan."""
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            raise ImageFormatError(f"{name}: its JPEG header is damaged; get it again")
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        yield marker, place + 4, end
        if marker == 0xDA:
            return
        place = end


def _orientation(tiff: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    (first,) = struct.unpack(order + "I", tiff[4:8])
    (count,) = struct.unpack(order + "H", tiff[first : first + 2].ljust(2, b"\0"))
    for entry in range(first + 2, first + 2 + 12 * count, 12):
        field = tiff[entry : entry + 12]
        if len(field) == 12 and struct.unpack(order + "H", field[:2]) == (_ORIENTATION,):
            (value,) = struct.unpack(order + "H", field[8:10])
            return int(value)
    return 1


@contextmanager
def one_thread_a_call() -> Iterator[None]:
    """Take OpenCV's own threads away: ours, one an image, keep all cores busy, and those below them would get in the way."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
