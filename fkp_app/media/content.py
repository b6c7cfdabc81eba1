"""Tells images from videos by their first bytes: names can be wrong, and many files have no suffix."""

import re
from pathlib import Path
from typing import Literal

HEAD = 4096
"""Number of leading bytes that are read to tell what a file is."""
IMAGES = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL ", b"\xff\x0a", b"8BPS", b"FUJIFILMCCD", b"FOVb"),
    *(b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"%!PS", b"\xc5\xd0\xd3\xc6", b"DDS ", b"\x76\x2f\x31\x01"),
)
VIDEOS = (
    *(b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x06\x0e\x2b\x34", b".RMF"),
    *(b"YUV4MPEG2", b"DKIF", b"nut/multimedia", b"\x1f\x07\0", b"\xb7\xd8\0\x20\x37\x49\xda\x11"),
)
STILL_BRANDS = re.compile(rb"avi[fs]|hei[cfmsx]|hev[cmsx]|mif1|msf1|miaf|crx ")
"""Brands of files that are built like an MP4 but hold photos: AVIF, HEIC, Canon's raw."""
ARCHIVES = (b"PK\3\4", b"PK\5\6", b"Rar!\x1a\7", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"%PDF")
"""Archives, and documents, many of which are archives. FFmpeg would find the photos in one and call them a video."""
SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ")
QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
PACKET, PACKET_WITH_TIME = 188, 192
"""Bytes per packet of an MPEG transport stream: when broadcast, and with a time in front on discs and in camcorders."""


def content_kind(head: bytes) -> Literal["image", "video"] | None:
    """The kind of a file that begins with these bytes; None if unknown. Formats that are not read here count, too."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "image" if STILL_BRANDS.fullmatch(brand) else None if brand in SOUND_BRANDS else "video"
    if head[:4] == b"RIFF":
        return {b"WEBP": "image", b"AVI ": "video", b"CDXA": "video"}.get(head[8:12])  # type: ignore[return-value]
    if head[:4] == b"OggS":  # usually sound
        return "video" if re.search(rb"\x80theora|\x01video|BBCD", head) else None
    if head.startswith(IMAGES) or re.match(rb"P[1-7][\s#]|P[Ff]\s|\0\0[\x01\x02]\0[\x01-\x40]\0", head):  # icons last
        return "image"
    if head.startswith(VIDEOS) or head[4:8] in QUICKTIME or _is_mpeg(head):
        return "video"
    return None


def is_archive(head: bytes) -> bool:
    """Whether a file that begins with these bytes is an archive or a document."""
    return head.startswith(ARCHIVES) or head[257:262] == b"ustar"


def read_head(path: Path) -> bytes:
    """The first bytes of a file; none if it cannot be read: the code that reads the whole file reports why."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def _is_mpeg(head: bytes) -> bool:
    if re.match(rb"\0\0\0?\x01", head):  # a start code of MPEG 1, 2, 4, H.264 or H.265
        return True
    for begin, step in ((0, PACKET), (4, PACKET_WITH_TIME)):
        if len(head) > begin + 2 * step and {head[begin + i * step] for i in range(3)} == {0x47}:
            return True
    return False
