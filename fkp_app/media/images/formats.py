"""The image formats that are read. The content decides, not the name; Pillow never gets a file of another format."""

import re
from importlib.util import find_spec

HEAD = 64
"""Number of leading bytes that tell the format."""

AVIF = find_spec("PIL._avif") is not None
SUFFIXES = frozenset(
    [
        *(".bmp", ".gif", ".webp", ".tif", ".tiff", ".png", ".apng", ".ppm", ".pgm", ".pbm", ".pnm"),
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf"),
        *((".avif",) if AVIF else ()),
    ]
)
"""Suffixes of the formats that are read: in a folder, files that have one count as images."""

_READ = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "WEBP": rb"RIFF.{4}WEBPVP8[ LX]",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "JPEG2000": rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
    "PPM": rb"P[1-6][\s#]|Pf\s",
    "AVIF": rb".{4}ftyp(avi[fs]|m[is]f1.{0,48}avi[fs])",
}
_RAW = "a camera's raw picture"
_KNOWN = {
    "HEIC": rb".{4}ftyp(hei[cfmsx]|hev[cmsx]|m[is]f1)",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
    _RAW: rb"FUJIFILMCCD-RAW|.{4}ftypcrx |II(RO|RS|U\0)|MMOR|II.{4}HEAPCCDR|FOVb|\0MRM|II\*\0.{4}CR\x02",
    "PostScript": rb"%!PS|\xc5\xd0\xd3\xc6",
    "PDF": rb"%PDF",
    "a Photoshop file": rb"8BPS",
    "an icon": rb"\0\0[\1\2]\0.\0",
}
"""Formats that a user may take for readable images, but that are not read."""
_ARCHIVE = rb"PK\x03\x04|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\x1f\x8b\x08"


def kind_of(head: bytes) -> str | None:
    """Pillow's name of the format of a file, by its first HEAD bytes; None if that format is not read."""
    if _matches(_KNOWN[_RAW], head):  # some raw files begin as a TIFF does
        return None
    kind = next((kind for kind, pattern in _READ.items() if _matches(pattern, head)), None)
    return None if kind == "AVIF" and not AVIF else kind


def what_else(head: bytes) -> str:
    """Why a file is not read for which `kind_of` is None: the text that follows its name."""
    if _matches(_ARCHIVE, head):
        return "is an archive or a document, not an image; take its pictures out and name them"
    known = dict(_KNOWN) if AVIF else {"AVIF": _READ["AVIF"]} | _KNOWN
    name = next((name for name, pattern in known.items() if _matches(pattern, head)), None)
    if name is None:
        return "is not an image that can be read"
    return f"is {name}, which is not an image that can be read; convert it to JPEG or PNG"


RAW = f"is {_RAW}, of which only a small preview could be read; convert it to JPEG or PNG"


def _matches(pattern: bytes, head: bytes) -> bool:
    return re.match(pattern, head, re.DOTALL) is not None
