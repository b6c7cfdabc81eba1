"""TIFF files: extracts the first page, checks that it is no preview, and counts all pages."""

import ctypes
import io
from functools import cache
from typing import BinaryIO

from PIL import Image

from fkp_app.media.images.contents import BROKEN, Contents, RefusedError
from fkp_app.media.images.directories import Directories, Tag
from fkp_app.media.images.exif import orientation_of
from fkp_app.media.images.formats import RAW

MOST_PAGES = 1000
"""Most pages that are counted."""
MOST_PROFILE = 1 << 24
"""Most bytes of a colour profile."""
FAR = 16
"""The first page counts as a preview of any page that has at least this many times its pixels."""

_KIND, _OLD_KIND, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SUB = 254, 255, 256, 257, 258, 259, 262, 330
_SAMPLES, _PLANAR, _SAMPLE_FORMAT = 277, 284, 339
_XMP, _PROFILE, _DNG_VERSION = 700, 34675, 50706
_NEEDED = frozenset(
    [
        *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC),
        *(266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 333, 334, 338, 339, 347),
        *(*range(512, 522), 529, 530, 531, 532),
    ]
)
"""The tags that state how pixels are stored."""
_OF_PAGES = (_KIND, _OLD_KIND, _WIDTH, _HEIGHT)
"""The tags that are kept of further pages."""
_SENSOR = {32803, 34892}
"""Photometric interpretations of raw sensor data."""

_Tags = dict[int, Tag]


def read_tiff(file: BinaryIO) -> Contents:
    """The first page of a TIFF file. RefusedError if it is a raw picture, a preview, or in a form that is not read."""
    _silence_libtiff()
    directories = Directories(file)
    pages: list[_Tags] = []
    place, seen = directories.first, set[int]()
    while place and place not in seen and len(pages) < MOST_PAGES:
        seen.add(place)
        tags, place = directories.read(place)
        pages.append({number: tags[number] for number in _OF_PAGES if number in tags} if pages else tags)
    first = pages[0] if pages else {}
    _refuse_previews(directories, first, pages)
    shown = sum(not _is_reduced(directories, page) for page in pages)
    remarks: list[str] = []
    xmp = directories.bytes_of(first[_XMP], 1 << 20) if _XMP in first else b""
    turn = directories.orientation(first) or orientation_of(None, xmp, remarks)[0]
    profile = directories.bytes_of(first[_PROFILE], MOST_PROFILE) or BROKEN if _PROFILE in first else None
    bits = (directories.numbers(first.get(_BITS)) or (1,))[0]
    signed = directories.numbers(first.get(_SAMPLE_FORMAT))[:1] == (2,)
    apart = directories.numbers(first.get(_PLANAR))[:1] == (2,) and directories.numbers(first.get(_SAMPLES)) > (1,)
    if bits > 8 and apart:  # Pillow reads their bytes as levels
        raise RefusedError("keeps each colour in its own plane, in more than 8 bits, which is not read; save it as PNG")
    return Contents(
        *("TIFF", _first_page(file, directories, first), turn, profile, max(1, shown)),
        parts="holds {} pages" if len(pages) < MOST_PAGES else "holds {} pages or more",
        white=0 if bits > 16 or signed else (1 << bits) - 1 if 8 < bits < 16 else 65535,
        signed=signed,
        inverted=directories.numbers(first.get(_PHOTOMETRIC))[:1] == (0,),
    )


@cache
def _silence_libtiff() -> None:
    """Stop libtiff from printing its errors: Pillow reports them as well."""
    try:
        library = ctypes.CDLL(Image.core.__file__)  # also finds symbols of the libraries that it is linked to
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
    except (OSError, AttributeError):  # linked in some other way
        return


def _first_page(file: BinaryIO, directories: Directories, first: _Tags) -> BinaryIO:
    """The file with one directory, of the needed tags. RefusedError if they claim more bytes than there are."""
    file.seek(0)
    data = file.read()
    needed = [tag for number, tag in sorted(first.items()) if number in _NEEDED]
    if sum(min(tag.size, len(data)) for tag in needed) > 2 * len(data) + 4096:
        raise RefusedError("is truncated or damaged (its tags claim more than the file holds)")
    head, directory = directories.single(needed, len(data) + len(data) % 2)
    return io.BytesIO(b"".join([head, memoryview(data)[len(head) :], bytes(len(data) % 2), directory]))


def _refuse_previews(directories: Directories, first: _Tags, pages: list[_Tags]) -> None:
    """RefusedError for raw files. They begin with a small picture, which not all of them mark as a preview, and keep
    the sensor's data further on."""
    below = [directories.read(place)[0] for place in directories.numbers(first.get(_SUB))]
    photometric = {number for tags in (first, *below) for number in directories.numbers(tags.get(_PHOTOMETRIC))[:1]}
    if _DNG_VERSION in first or photometric & _SENSOR:
        raise RefusedError(RAW)
    area = _area(directories, first)
    larger = any(_area(directories, tags) > area for tags in below)
    far = area > 0 and any(_area(directories, tags) >= FAR * area for tags in pages)
    if _is_reduced(directories, first) or larger or far:
        raise RefusedError("begins with a small preview, as raw pictures do; convert its whole picture to JPEG or PNG")


def _is_reduced(directories: Directories, tags: _Tags) -> bool:
    """Whether a page is a smaller version, or a mask, of another page."""
    kind, old = directories.numbers(tags.get(_KIND))[:1], directories.numbers(tags.get(_OLD_KIND))[:1]
    return bool(kind and kind[0] & 5) or old == (2,)


def _area(directories: Directories, tags: _Tags) -> int:
    width, height = (directories.numbers(tags.get(side))[:1] or (0,) for side in (_WIDTH, _HEIGHT))
    return width[0] * height[0]
