"""PNG files: keeps the chunks that the pixels need, and reads metadata from the others."""

import io
import struct
import zlib
from collections.abc import Iterator

from fkp_app.media.images.contents import BROKEN, CUT, DAMAGED, Contents
from fkp_app.media.images.exif import orientation_of
from fkp_app.media.images.profiles import HDR, hdr_name, png_profile, profile_of

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_UNPACKED = 1 << 24
"""Most bytes of a profile or a text, unpacked."""
_READ = {b"eXIf", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"acTL", b"iTXt", b"zTXt", b"tEXt"}
_PROFILE_OF_TEXT = b"Raw profile type exif"
_XMP_OF_TEXT = b"XML:com.adobe.xmp"
_READ_TEXTS = (_PROFILE_OF_TEXT, _XMP_OF_TEXT)


def read_png(data: bytes) -> Contents:
    """The first picture of a PNG file. If something besides the pixels is damaged, a remark says so."""
    kept: list[bytes] = []
    pixels: list[bytes] = []
    found: dict[bytes, bytes] = {}
    remarks: list[str] = []
    ended = False
    for name, body, whole in _chunks(data):
        ended = ended or (name == b"IEND" and whole)
        if name == b"IDAT":
            pixels.append(body)
        elif name in (b"IHDR", b"PLTE"):
            kept.append(_chunk(name, body, whole))
        elif not whole and name not in (b"IEND", b"fdAT"):
            remarks.append(DAMAGED)
        elif name == b"tRNS":
            kept.append(_chunk(name, body))
        elif name in (b"iTXt", b"zTXt", b"tEXt"):
            key, _, rest = body.partition(b"\0")
            if key in _READ_TEXTS and key not in found:  # the first counts; unpacking each would take time
                found[key] = _text(name, rest)
        elif name in _READ:
            found.setdefault(name, body)
    stream = b"".join([_SIGNATURE, *kept, _chunk(b"IDAT", b"".join(pixels)), _chunk(b"IEND", b"")])
    exif = found.get(b"eXIf") or _exif_from_text(found.get(_PROFILE_OF_TEXT))
    turn, _ = orientation_of(exif, found.get(_XMP_OF_TEXT), remarks)
    if not ended:
        remarks.append(CUT)
    animation = found.get(b"acTL", b"")
    frames = int.from_bytes(animation[:4], "big") if len(animation) >= 8 else 1
    profile = _colours(found, remarks)
    return Contents("PNG", io.BytesIO(stream), turn, profile, max(1, frames), remarks=list(dict.fromkeys(remarks)))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Name and content of each chunk, and whether its checksum is right (always True for pixels: not checked)."""
    place = len(_SIGNATURE)
    while place + 8 <= len(data):
        (length,), name = struct.unpack_from(">I", data, place), data[place + 4 : place + 8]
        body = data[place + 8 : place + 8 + length]
        check = data[place + 8 + length : place + 12 + length]
        yield name, body, name == b"IDAT" or check == struct.pack(">I", zlib.crc32(name + body))
        place += 12 + length
        if name == b"IEND":
            return


def _chunk(name: bytes, body: bytes, whole: bool = True) -> bytes:
    """A chunk's bytes; with a wrong checksum if it was not whole, so that Pillow refuses it."""
    check = zlib.crc32(name + body) ^ (not whole)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)


def _colours(found: dict[bytes, bytes], remarks: list[str]) -> bytes | None:
    """The profile, by the chunk that takes precedence: cICP, iCCP, sRGB, then gAMA and cHRM; None: sRGB."""
    code = found.get(b"cICP", b"")
    if len(code) == 4:
        remarks += [HDR.format(kind)] if (kind := hdr_name(code[1])) else []
        return profile_of(code[0], code[1])
    if b"iCCP" in found:
        _, _, packed = found[b"iCCP"].partition(b"\0")
        return _unpacked(packed[1:]) or BROKEN
    gamma, primaries = found.get(b"gAMA", b""), found.get(b"cHRM", b"")
    if b"sRGB" in found or len(gamma) != 4:
        return None
    return png_profile(int.from_bytes(gamma, "big"), struct.unpack(">8I", primaries) if len(primaries) == 32 else None)


def _unpacked(packed: bytes) -> bytes | None:
    try:
        return zlib.decompressobj().decompress(packed, _MAX_UNPACKED)
    except zlib.error:
        return None


def _text(name: bytes, rest: bytes) -> bytes:
    """The content of a text chunk. rest: the chunk after its key."""
    if name == b"tEXt":
        return rest
    if name == b"zTXt":
        return _unpacked(rest[1:]) or b""
    packed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    return (_unpacked(text) or b"") if packed else text


def _exif_from_text(text: bytes | None) -> bytes:
    """EXIF as ImageMagick writes it: hexadecimal digits after a name and a length."""
    words = text.split(None, 2) if text else []
    try:
        return bytes.fromhex(words[2].decode("ascii")) if len(words) == 3 else b""
    except ValueError:
        return b""
