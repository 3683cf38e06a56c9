"""Decoding: the pixels of cv2.imread, from every kind of file, and a refusal for every damaged one."""

import io
import os
import struct
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from components.errors import ImageFormatError
from components.images import decode_image, decode_mask, decode_mask_checked, read_size
from tests.isic_folder import draw

RGB, MASK = draw("ISIC_1", (48, 64))


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


JPEG = encode(Image.fromarray(RGB), "JPEG", quality=90)
PNG = encode(Image.fromarray(RGB))


@pytest.mark.parametrize("mode", ["RGB", "L", "YCbCr"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_decodes_to_the_pixels_of_imread(tmp_path: Path, mode: str, subsampling: int, progressive: bool) -> None:
    image = Image.fromarray(RGB[:47, :61]).convert(mode)
    data = encode(image, "JPEG", subsampling=subsampling, progressive=progressive)
    (tmp_path / "x.jpg").write_bytes(data)
    np.testing.assert_array_equal(decode_image(data, "x.jpg"), cv2.imread(str(tmp_path / "x.jpg"))[:, :, ::-1])


def test_a_jpeg_stored_as_rgb_decodes_to_the_pixels_of_imread(tmp_path: Path) -> None:
    data = encode(Image.fromarray(RGB), "JPEG", keep_rgb=True)
    (tmp_path / "x.jpg").write_bytes(data)
    np.testing.assert_array_equal(decode_image(data, "x.jpg"), cv2.imread(str(tmp_path / "x.jpg"))[:, :, ::-1])


@pytest.mark.parametrize(
    ("at_least", "size"), [((24, 32), (24, 32)), ((20, 20), (24, 32)), ((12, 16), (12, 16)), ((25, 32), (48, 64))]
)
def test_a_jpeg_twice_as_large_as_asked_for_comes_scaled_down_and_never_below(
    at_least: tuple[int, int], size: tuple[int, int]
) -> None:
    smooth = cv2.GaussianBlur(RGB, (0, 0), 3)
    image = decode_image(encode(Image.fromarray(smooth), "JPEG", quality=98), "x.jpg", at_least=at_least)
    assert image.shape[:2] == size
    assert np.abs(image.astype(int) - cv2.resize(smooth, size[::-1], interpolation=cv2.INTER_AREA)).mean() < 3


def test_a_png_and_a_turned_jpeg_come_whole_whatever_size_is_asked_for() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(Image.fromarray(RGB), "JPEG", exif=exif)
    assert decode_image(turned, "x.jpg", at_least=(12, 16)).shape[:2] == (64, 48)
    assert decode_image(PNG, "x.png", at_least=(12, 16)).shape[:2] == (48, 64)


def test_a_png_decodes_to_the_pixels_that_were_written() -> None:
    np.testing.assert_array_equal(decode_image(PNG, "x.png"), RGB)


def test_a_grey_image_becomes_three_equal_channels() -> None:
    grey = RGB[:, :, 0]
    np.testing.assert_array_equal(decode_image(encode(Image.fromarray(grey)), "x.png"), np.dstack([grey] * 3))


def test_a_16_bit_image_keeps_its_high_bytes() -> None:
    deep = RGB[:, :, ::-1].astype(np.uint16) * 257  # 8-bit v is v * 257 in 16 bits
    np.testing.assert_array_equal(decode_image(cv2.imencode(".png", deep)[1].tobytes(), "x.png"), RGB)


def test_an_alpha_channel_is_dropped() -> None:
    image = Image.fromarray(RGB).convert("RGBA")
    image.putalpha(Image.fromarray(MASK))
    np.testing.assert_array_equal(decode_image(encode(image), "x.png"), RGB)


def test_a_palette_image_shows_its_colours() -> None:
    image = Image.fromarray(RGB).quantize(16)
    np.testing.assert_array_equal(decode_image(encode(image), "x.png"), np.asarray(image.convert("RGB")))


def test_a_cmyk_jpeg_shows_the_colours_that_it_was_made_from() -> None:
    data = encode(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=98)
    assert np.abs(decode_image(data, "x.jpg").astype(int) - RGB).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_rotation_is_applied_to_pixels_and_size(orientation: int, kind: str, order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x0112] = orientation
    data = encode(Image.fromarray(RGB), kind, exif=exif, **({"quality": 98} if kind == "JPEG" else {}))
    # What each orientation says of the picture, from the EXIF standard: its row 0 and column 0 lie at …
    upright = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, -1),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RGB, 1),
    }[orientation]
    image = decode_image(data, "x")
    assert read_size(data, "x") == image.shape[:2] == upright.shape[:2]
    assert np.abs(image.astype(int) - upright).mean() < 3


def test_damaged_exif_counts_as_none() -> None:
    header = b"Exif\x00\x00II*\x00\xff\xff\xff\xff"
    data = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(header) + 2) + header + JPEG[2:]
    assert read_size(data, "x.jpg") == (48, 64)
    assert decode_image(data, "x.jpg").shape == (48, 64, 3)


def test_a_size_needs_no_more_than_the_header() -> None:
    scan = JPEG.index(b"\xff\xda")
    assert read_size(JPEG[:scan], "x.jpg") == (48, 64)
    assert read_size(PNG[:40], "x.png") == (48, 64)


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb = PNG[:8] + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")
    for refuse in (read_size, decode_image, decode_mask):
        with pytest.raises(ImageFormatError, match=r"bomb\.png: says that it is 60000 x 60000 pixels"):
            refuse(bomb, "bomb.png")


DAMAGED = {
    "text": b"This is no image.\n",
    "an empty file": b"",
    "a GIF": encode(Image.fromarray(MASK), "GIF"),
    "a JPEG of which half is left": JPEG[: len(JPEG) // 2],
    "a JPEG without its last two bytes": JPEG[:-2],
    "a JPEG that ends in zeros": JPEG[: len(JPEG) // 2] + bytes(500),
    "a JPEG whose middle is missing": JPEG[: len(JPEG) // 2] + JPEG[len(JPEG) * 3 // 4 :],
    "a JPEG cut in its header": JPEG[:100],
    "three bytes of a JPEG": JPEG[:3],
    "a PNG of which half is left": PNG[: len(PNG) // 2],
    "a PNG without its last chunk": PNG[:-12],
    "a PNG with a byte changed": PNG[: len(PNG) // 2] + bytes([PNG[len(PNG) // 2] ^ 255]) + PNG[len(PNG) // 2 + 1 :],
    "a PNG cut in its header": PNG[:20],
    "an image without height": PNG[:8] + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 0, 8, 2, 0, 0, 0)) + PNG[33:],
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_refused_by_name_and_nothing_is_printed(case: str, capfd: pytest.CaptureFixture[str]) -> None:
    for decode in (decode_image, decode_mask):
        with pytest.raises(ImageFormatError, match=r"^ISIC_7\.jpg: "):
            decode(DAMAGED[case], "ISIC_7.jpg")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("data", [JPEG[: len(JPEG) // 2], JPEG[:-2], PNG[: len(PNG) // 2], PNG[:-12]])
def test_a_truncated_file_is_called_so(data: bytes) -> None:
    with pytest.raises(ImageFormatError, match="truncated"):
        decode_image(data, "x")


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    np.testing.assert_array_equal(decode_image(JPEG + b"\0" * 64 + b"rest", "x.jpg"), decode_image(JPEG, "x.jpg"))
    assert capfd.readouterr().err == ""


def test_a_message_of_another_thread_s_image_is_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    decode = cv2.imdecode

    def imdecode(data: np.ndarray, flags: int) -> np.ndarray:
        if not calls:
            os.write(2, b"Corrupt JPEG data: premature end of data segment\n")
        calls.append(flags)
        return decode(data, flags)

    monkeypatch.setattr(cv2, "imdecode", imdecode)
    assert decode_image(PNG, "x.png").shape == (48, 64, 3)
    assert len(calls) == 2


def test_a_damaged_image_costs_no_sound_one_in_another_thread_its_place() -> None:
    refused = {"sound": 0, "damaged": 0}

    def decode(kind: str, data: bytes) -> None:
        for _ in range(60):
            try:
                decode_image(data, kind)
            except ImageFormatError:
                refused[kind] += 1

    damaged = DAMAGED["a JPEG whose middle is missing"]
    threads = [threading.Thread(target=decode, args=pair) for pair in (("sound", JPEG), ("damaged", damaged))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == {"sound": 0, "damaged": 60}


def test_a_clean_mask_is_returned_as_it_is() -> None:
    mask, repaired = decode_mask_checked(encode(Image.fromarray(MASK)), "m.png")
    np.testing.assert_array_equal(mask, MASK)
    assert not repaired


def test_a_palette_mask_is_read_by_its_colours_not_its_indices() -> None:
    # As 346 masks of HAM10000: index 0 is white, index 255 black.
    image = Image.fromarray(255 - MASK).convert("P")
    image.putpalette([value for grey in range(255, -1, -1) for value in (grey, grey, grey)])
    mask, repaired = decode_mask_checked(encode(image), "m.png")
    np.testing.assert_array_equal(mask, MASK)
    assert not repaired


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0, 1], id="0 and 1"),
        pytest.param([0, 128], id="0 and 128"),
        pytest.param([3, 250], id="noise at both ends"),
    ],
)
def test_a_mask_of_other_values_is_cut_at_half_of_its_largest(values: list[int]) -> None:
    low, high = values
    mask, repaired = decode_mask_checked(encode(Image.fromarray(np.where(MASK > 0, high, low).astype(np.uint8))), "m.png")
    np.testing.assert_array_equal(mask, MASK)
    assert repaired


def test_the_cut_lies_above_half_of_the_largest_value() -> None:
    mask = decode_mask(encode(Image.fromarray(np.array([[0, 50, 100, 101, 200]], np.uint8))), "m.png")
    assert mask.tolist() == [[0, 0, 0, 255, 255]]


def test_a_16_bit_mask_of_0_and_1_is_no_empty_mask() -> None:
    mask, repaired = decode_mask_checked(cv2.imencode(".png", (MASK > 0).astype(np.uint16))[1].tobytes(), "m.png")
    np.testing.assert_array_equal(mask, MASK)
    assert repaired


def test_a_mask_saved_as_jpeg_is_repaired() -> None:
    mask, repaired = decode_mask_checked(encode(Image.fromarray(MASK), "JPEG", quality=80), "m.png")
    assert repaired
    assert (mask != MASK).mean() < 0.02


@pytest.mark.slow
def test_real_images_and_masks_decode_as_imread_does(real_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # Every fifth, of every folder; all 24,441 have been compared once, and are equal.
    files = sorted(path for path in real_data.rglob("*") if path.suffix in (".jpg", ".png"))
    assert len(files) == 13_820 + 10_621
    for path in files[::5]:
        if path.suffix == ".jpg":
            np.testing.assert_array_equal(decode_image(path.read_bytes(), path.name), cv2.imread(str(path))[:, :, ::-1])
        else:
            mask, repaired = decode_mask_checked(path.read_bytes(), path.name)
            np.testing.assert_array_equal(mask, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
            assert not repaired
    assert capfd.readouterr().err == ""
