"""What a picture's file says beside its pixels: left out of what is stored, and counted by kind.

EXIF, XMP, IPTC, comments and makers' own blocks may name a patient, a place or a device. Kept is what decoding needs: JFIF, ICC
profile, Adobe's colour transform, PNG's colour chunks; and of EXIF the orientation. A file that holds nothing else is kept byte for
byte.
"""

import re
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from components.images import read_orientation

KINDS = ("person", "place", "device", "date", "comment")

_PNG = b"\x89PNG\r\n\x1a\n"
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/"
_APP1, _APP13, _COM, _SOS, _EOI = 0xE1, 0xED, 0xFE, 0xDA, 0xD9
_APPS = range(0xE0, 0xF0)
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_KEPT_SEGMENTS = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
_KEPT_CHUNKS = frozenset(b"tRNS gAMA cHRM sRGB iCCP sBIT bKGD hIST pHYs cICP mDCV cLLI sPLT oFFs acTL fcTL fdAT".split())

# EXIF tags by what they tell; the GPS block tells a place.
_EXIF_KINDS = {
    "person": {0x013B, 0x8298, 0x9C9D, 0xA430},  # Artist, Copyright, XPAuthor, CameraOwnerName
    "device": {0x013C, 0x927C, 0xA420, 0xA431, 0xA435, 0xC62F},  # HostComputer, MakerNote, ImageUniqueID, serial numbers
    "date": {0x0132, 0x9003, 0x9004},
    "comment": {0x010E, 0x9286, 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F},  # ImageDescription, UserComment, XP texts
    "place": {0x8825},
}
_EXIF_BLOCK = 0x8769
_XMP_KINDS = {
    "person": re.compile(rb"dc:creator|dc:rights|photoshop:Credit|Iptc4xmpExt:PersonInImage|aux:OwnerName|xmpRights:Owner"),
    "place": re.compile(rb"exif:GPS|photoshop:City|photoshop:State|photoshop:Country|Iptc4xmp\w+:Location"),
    "device": re.compile(rb"SerialNumber"),
    "date": re.compile(rb"xmp:(Create|Modify|Metadata)Date|photoshop:DateCreated|exif:DateTime"),
    "comment": re.compile(rb"dc:(description|title|subject)|photoshop:(Instructions|Headline)|exif:UserComment"),
}
# Datasets of IPTC's record 2, and keywords of PNG's texts.
_IPTC_KINDS = {
    "person": {80, 85, 110, 115, 116, 118, 122},
    "place": {26, 27, 90, 92, 95, 100, 101},
    "date": {55, 60, 62, 63},
    "comment": {5, 25, 40, 105, 120},
}
_IPTC_DATASET = re.compile(rb"\x1c\x02(.)", re.DOTALL)
_TEXT_KINDS = {b"Author": "person", b"Copyright": "person", b"Source": "device", b"Creation Time": "date"}

_Range = tuple[int, int]


def without_personal(data: bytes, name: str) -> tuple[bytes, frozenset[str]]:
    """A picture's file without what tells of people, and which kinds of fields that was.

    Args:
        data: an encoded JPEG or PNG, with a sound header (see `components.images.read_size`).
        name: what to call it in an error.

    Returns:
        The file, `data` itself where there is nothing to leave out; it decodes to the same pixels. And kinds out of `KINDS`, none
        where the fields that were left out tell none of these.

    Raises:
        ImageFormatError: the header is damaged.
    """
    png = data.startswith(_PNG)
    dropped = list(_png_cuts(data) if png else _jpeg_cuts(data))
    if not dropped:
        return data, frozenset()
    kinds = {kind for start, end in dropped for kind in (_chunk_kinds if png else _segment_kinds)(data[start:end])}
    orientation = read_orientation(data, name)
    parts = [data[: dropped[0][0]]]
    if orientation in range(2, 9):
        parts.append((_exif_chunk if png else _exif_segment)(orientation))
    ends = [start for start, _ in dropped[1:]] + [len(data)]
    parts += [data[end:following] for (_, end), following in zip(dropped, ends, strict=True)]
    return b"".join(parts), frozenset(kinds)


def _jpeg_cuts(data: bytes) -> Iterator[_Range]:
    """Start and end of each segment that is dropped, and of what follows the image's end."""
    place = 2
    while place + 2 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
        elif marker == _EOI:
            if place + 2 < len(data):
                yield place + 2, len(data)
            return
        elif marker in _BARE:
            place += 2
        else:
            end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
            if end > len(data):
                return
            if not _keeps_segment(marker, data[place:end]):
                yield place, end
            place = _after_scan(data, end) if marker == _SOS else end


def _keeps_segment(marker: int, segment: bytes) -> bool:
    if marker not in _APPS and marker != _COM:
        return True
    wanted = _KEPT_SEGMENTS.get(marker)
    return (wanted is not None and segment.startswith(wanted, 4)) or segment in _EXIF_SEGMENTS


def _after_scan(data: bytes, start: int) -> int:
    """Where the next segment begins: the next marker that is neither a stuffed byte, a restart nor padding."""
    coded = np.frombuffer(data, np.uint8, offset=start)
    marks = np.flatnonzero(coded[:-1] == 0xFF)
    after = coded[marks + 1]
    found = marks[(after != 0) & ((after < 0xD0) | (after > 0xD7)) & (after != 0xFF)]
    return start + int(found[0]) if len(found) else len(data)


def _segment_kinds(segment: bytes) -> set[str]:
    marker, content = segment[1], segment[4:]
    if segment[0] != 0xFF or marker == _COM:
        return {"comment"} if segment[0] == 0xFF else set()
    if marker == _APP1 and content.startswith(_EXIF):
        return _exif_kinds(content[len(_EXIF) :])
    if marker == _APP1 and content.startswith(_XMP):
        return _xmp_kinds(content)
    if marker == _APP13:
        datasets = {found[0] for found in _IPTC_DATASET.findall(content)}
        return {kind for kind, numbers in _IPTC_KINDS.items() if numbers & datasets}
    return set()


def _png_cuts(data: bytes) -> Iterator[_Range]:
    """Start and end of each chunk that is dropped, and of what follows the image's end."""
    place = len(_PNG)
    while place + 12 <= len(data):
        kind, end = data[place + 4 : place + 8], place + 12 + int.from_bytes(data[place : place + 4], "big")
        if end > len(data):
            return
        if kind == b"IEND":
            if end < len(data):
                yield end, len(data)
            return
        critical = not kind[0] & 0x20
        if not critical and kind not in _KEPT_CHUNKS and data[place:end] not in _EXIF_CHUNKS:
            yield place, end
        place = end


def _chunk_kinds(chunk: bytes) -> set[str]:
    kind, content = chunk[4:8], chunk[8:-4]
    if kind == b"eXIf":
        return _exif_kinds(content)
    if kind == b"tIME":
        return {"date"}
    if kind in (b"tEXt", b"zTXt", b"iTXt"):
        keyword = content.partition(b"\0")[0]
        return _xmp_kinds(content) if keyword == b"XML:com.adobe.xmp" else {_TEXT_KINDS.get(keyword, "comment")}
    return set()


def _xmp_kinds(content: bytes) -> set[str]:
    return {kind for kind, names in _XMP_KINDS.items() if names.search(content)}


def _exif_kinds(tiff: bytes) -> set[str]:
    exif = Image.Exif()
    try:
        with warnings.catch_warnings(action="error"):  # Pillow only warns of a block that is cut off
            exif.load(_EXIF + tiff)
            tags = {*exif, *exif.get_ifd(_EXIF_BLOCK)}
    except (SyntaxError, ValueError, TypeError, KeyError, struct.error, UserWarning):
        return set()  # it is left out whole; what it told cannot be read
    return {kind for kind, numbers in _EXIF_KINDS.items() if numbers & tags}


def _tiff(orientation: int) -> bytes:
    """The smallest EXIF: one entry, the orientation."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _exif_segment(orientation: int) -> bytes:
    content = _EXIF + _tiff(orientation)
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content


def _exif_chunk(orientation: int) -> bytes:
    content = b"eXIf" + _tiff(orientation)
    return (len(content) - 4).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")


_EXIF_SEGMENTS = frozenset(map(_exif_segment, range(1, 9)))
_EXIF_CHUNKS = frozenset(map(_exif_chunk, range(1, 9)))
