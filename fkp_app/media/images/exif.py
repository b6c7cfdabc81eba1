"""Reads orientation and Adobe RGB from EXIF and XMP, and nothing else."""

import io
import re
from typing import NamedTuple

from fkp_app.media.images.contents import DAMAGED
from fkp_app.media.images.directories import Directories

_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\s*[\"'<]")


class Exif(NamedTuple):
    """orientation: 1 .. 8; None if none is stated. adobe_rgb: whether a camera took the photo in Adobe RGB."""

    orientation: int | None = None
    adobe_rgb: bool = False


def read_exif(block: bytes) -> Exif:
    """Read an EXIF block, with or without the header that it has in JPEG files. ValueError if it cannot be read."""
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    directories = Directories(io.BytesIO(block))
    tags, _ = directories.read(directories.first)
    if not tags and not directories.is_empty(directories.first):
        raise ValueError("an EXIF block without a directory")
    return Exif(directories.orientation(tags), directories.is_adobe_rgb(tags))


def orientation_of(exif: bytes | None, xmp: bytes | None, remarks: list[str]) -> tuple[int, bool]:
    """The orientation by EXIF, else by XMP, else 1; and whether EXIF states Adobe RGB.

    EXIF that cannot be read is ignored, and a remark says so.
    """
    found = Exif()
    if exif:
        try:
            found = read_exif(exif)
        except ValueError:
            remarks.append(DAMAGED)
    match = _XMP_ORIENTATION.search(xmp) if xmp else None
    return found.orientation or (int(match[1]) if match else 1), found.adobe_rgb
