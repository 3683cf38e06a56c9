"""What files say of people is left out and counted; pixels and sound files stay as they are."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from components.ingest.personal import without_personal
from tests.components.ingest.conftest import Run
from tests.isic_folder import IsicFolder, Pixels, draw

NAME, PLACE, SERIAL = "Erika Mustermann", 52.52, "SN-0815"
PICTURE = draw("ISIC_1", (40, 60))[0]


def pixels(data: bytes) -> Pixels:
    decoded: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def exif(orientation: int = 1, *, personal: bool = True) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    if personal:
        tags[0x013B] = NAME
        tags.get_ifd(0x8769)[0xA431] = SERIAL
        tags.get_ifd(0x8825).update({1: "N", 2: (PLACE, 0.0, 0.0)})
    return tags


def encoded(form: str, **more: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(PICTURE).save(data, form, **more)
    return data.getvalue()


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    return data[:2] + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content + data[2:]


XMP = f"<x:xmpmeta><dc:creator>{NAME}</dc:creator><exif:GPSLatitude>52</exif:GPSLatitude></x:xmpmeta>".encode()
IPTC = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x20" + b"\x1c\x02\x50\0\x10" + NAME.encode() + b"\x1c\x02\x5a\0\x06Berlin"


def png_text() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", NAME)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    text.add_text("Comment", "patient of ward 3", zip=True)
    return text


PERSONAL = {
    "EXIF in a JPEG": (encoded("JPEG", exif=exif()), {"person", "place", "device"}),
    "EXIF in a PNG": (encoded("PNG", exif=exif()), {"person", "place", "device"}),
    "a comment in a JPEG": (encoded("JPEG", comment=NAME.encode()), {"comment"}),
    "XMP in a JPEG": (encoded("JPEG", xmp=XMP), {"person", "place"}),
    "IPTC in a JPEG": (with_segment(encoded("JPEG"), 0xED, IPTC), {"person", "place"}),
    "a maker's own block": (with_segment(encoded("JPEG"), 0xEA, b"MAKER\0" + NAME.encode()), set()),
    "texts in a PNG": (encoded("PNG", pnginfo=png_text()), {"person", "place", "comment"}),
    "a progressive JPEG": (encoded("JPEG", progressive=True, exif=exif()), {"person", "place", "device"}),
    "a picture behind the picture": (encoded("JPEG") + encoded("JPEG", exif=exif()), set()),
    "text behind a PNG": (encoded("PNG") + NAME.encode(), set()),
}


@pytest.mark.parametrize("case", PERSONAL)
def test_what_tells_of_people_is_left_out_told_by_kind_and_the_pixels_are_the_same(case: str) -> None:
    data, kinds = PERSONAL[case]
    assert NAME.encode() in data or b"SN-0815" in data or b"XML:com" in data
    kept, found = without_personal(data, case)
    assert found == kinds
    for secret in (NAME.encode(), SERIAL.encode(), b"Berlin", b"GPS"):
        assert secret not in kept
    assert np.array_equal(pixels(kept), pixels(data))
    assert without_personal(kept, case) == (kept, frozenset())


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(10))
def test_the_orientation_stays(form: str, orientation: int) -> None:
    data = encoded(form, exif=exif(orientation))
    kept, _ = without_personal(data, "x")
    assert np.array_equal(pixels(kept), pixels(data))
    assert NAME.encode() not in kept


def test_files_that_tell_nothing_are_kept_byte_for_byte() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey, palette, cmyk = (Image.fromarray(PICTURE).convert(mode) for mode in ("L", "P", "CMYK"))
    files = [encoded("JPEG"), encoded("JPEG", progressive=True), encoded("PNG"), encoded("JPEG", icc_profile=profile, dpi=(72, 72))]
    files.append(encoded("PNG", icc_profile=profile, dpi=(72, 72)))
    for picture, form in ((grey, "JPEG"), (cmyk, "JPEG"), (palette, "PNG"), (grey, "PNG")):
        buffer = io.BytesIO()
        picture.save(buffer, form)
        files.append(buffer.getvalue())
    for data in files:
        assert without_personal(data, "x")[0] is data


@given(cut=st.integers(2, 3000), flips=st.lists(st.tuples(st.integers(2, 3000), st.integers(1, 255)), max_size=4))
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_never_makes_it_fail(cut: int, flips: list[tuple[int, int]]) -> None:
    from components.errors import ImageFormatError
    from components.images import read_size

    for whole in (PERSONAL["EXIF in a JPEG"][0], PERSONAL["texts in a PNG"][0]):
        data = bytearray(whole[:cut])
        for place, mask in flips:
            if place < len(data):
                data[place] ^= mask
        try:
            read_size(bytes(data), "x")
        except ImageFormatError:
            continue
        without_personal(bytes(data), "x")


def test_ingest_stores_counts_and_says_it(tmp_path: Path, run: Run) -> None:
    folder = IsicFolder(tmp_path / "clinic").fill(1)
    plain = folder.root / "images/ISIC_NV_0.jpg"
    folder.raw("images/ISIC_MEL_0.jpg", encoded("JPEG", exif=exif(6), comment=b"ward 3"))
    folder.mask("ISIC_MEL_0", size=(60, 40))
    done = run(folder.root)
    assert done.personal == [("ISIC_MEL_0", kind) for kind in ("comment", "device", "person", "place")]
    said = "1 files told more than pixels, which is left out (comment 1, device 1, person 1, place 1): personal.csv names them"
    assert said in done.messages
    row = done.row("ISIC_MEL_0", "segmentation")
    assert (row["height"], row["width"]) == (60, 40)
    assert NAME.encode() not in done.dataset.image_bytes(row)
    assert done.dataset.image_bytes(done.row("ISIC_NV_0", "classification")) == plain.read_bytes()


@pytest.mark.slow
def test_real_files_keep_their_pixels(real_data: Path) -> None:
    changed = 0
    for path in sorted((real_data / "isic").rglob("*.jpg")):
        data = path.read_bytes()
        kept, _ = without_personal(data, path.name)
        if kept is not data:
            changed += 1
            assert np.array_equal(pixels(kept), pixels(data)), path.name
    assert changed == 118  # 38 with EXIF, 80 with comments
