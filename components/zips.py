"""Which members of a zip are unpacked at all, at a source as in the server; their sizes each of them looks at by itself."""

import zipfile


def is_encrypted(member: zipfile.ZipInfo) -> bool:
    """Whether a member wants a password."""
    return bool(member.flag_bits & 0x1)


def is_bounded(member: zipfile.ZipInfo) -> bool:
    """Whether zipfile unpacks a member piece by piece: stored or deflated.

    Of BZIP2 and LZMA it unpacks all that a piece of the zip holds at once, gigabytes of a few bytes.
    """
    return member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
