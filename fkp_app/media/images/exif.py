"""How a picture is turned, and whether a camera took it in Adobe RGB: nothing else of EXIF and XMP is ever read."""

import io
import re
from typing import NamedTuple

from fkp_app.media.images.contents import DAMAGED
from fkp_app.media.images.directories import Directories

_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\s*[\"'<]")


class Exif(NamedTuple):
    """orientation: 1 .. 8; None where none is said."""

    orientation: int | None = None
    adobe_rgb: bool = False


def read_exif(block: bytes) -> Exif:
    """What a block of EXIF says, with or without the header that it has in JPEG files. ValueError where it is none."""
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    directories = Directories(io.BytesIO(block))
    tags, _ = directories.read(directories.first)
    if not tags and not directories.is_empty(directories.first):
        raise ValueError("an EXIF block without a directory")
    return Exif(directories.orientation(tags), directories.is_adobe_rgb(tags))


def orientation_of(exif: bytes | None, xmp: bytes | None, remarks: list[str]) -> tuple[int, bool]:
    """The orientation that EXIF says, else XMP, else 1; and whether EXIF says Adobe RGB.

    EXIF that cannot be read counts as none, which a remark says.
    """
    found = Exif()
    if exif:
        try:
            found = read_exif(exif)
        except ValueError:
            remarks.append(DAMAGED)
    match = _XMP_ORIENTATION.search(xmp) if xmp else None
    return found.orientation or (int(match[1]) if match else 1), found.adobe_rgb
