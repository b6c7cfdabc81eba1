"""Unpack listed files from a zip archive that is not trusted: each file once, with exactly the listed size."""

import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from fkp_app.errors import FkpError
from fkp_app.wording import named

CHUNK = 1 << 20  # bytes
TAIL = (1 << 16) + 22
"""The most bytes of the record at an archive's end: 22, and a comment of less than 64 KiB."""
KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The published archive has no other compression, and others may ask for gigabytes to unpack a byte."""
BYTES_PER_MEMBER = 512
"""More than an archive's directory takes per member on average, names included."""

Sizes = Mapping[str, int]
"""File -> bytes."""


class ArchiveError(FkpError):
    """An archive that is damaged, unsafe or not the published one. It is useless, so it is removed."""


def unpack(archive: Path, directory: Path, sizes: Sizes) -> None:
    """Unpack the files that `sizes` lists into `directory`. A folder around them all is dropped from their paths.

    All other members are ignored. ArchiveError if a member's path leaves the directory, a member is a link, a file is
    there twice, or the archive is damaged. OSError if a file cannot be written.
    """
    try:
        _check_directory(archive, 4 * len(sizes) + 1000)
        with zipfile.ZipFile(archive) as pack:
            members = list(_members(pack, sizes))
            if sum(member.compress_size for member, _ in members) > archive.stat().st_size:
                raise ArchiveError("is damaged (its files overlap)")
            for member, name in members:
                target = directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    for piece in _pieces(pack, member):
                        file.write(piece)
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, struct.error) as error:
        # RuntimeError: encrypted, or a compression unknown here. ValueError: a name that cannot be decoded.
        raise ArchiveError(f"is damaged ({' '.join(str(error).split())[:200]})") from None


def _pieces(pack: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of a member. ArchiveError if it cannot be read: every compression method has errors of its own."""
    left = member.file_size
    try:
        with pack.open(member) as source:
            while piece := source.read(CHUNK):
                left -= len(piece)
                yield piece
    except ArchiveError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArchiveError(f"is damaged ({named(member.filename)}: {reason})") from None
    if left:
        raise ArchiveError(f"is damaged ({named(member.filename)} is shorter than its directory says)")


def _check_directory(archive: Path, most: int) -> None:
    """ArchiveError if an archive lists more than `most` members: reading the list could take all memory."""
    with archive.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - TAIL))
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < 22:
        raise ArchiveError("is damaged (no zip archive ends so)")
    members, size = struct.unpack("<10xHI", tail[place : place + 16])
    if tail[max(0, place - 20) :].startswith(b"PK\x06\x07") and place >= 20:
        raise ArchiveError("is damaged (a zip archive of this size needs no 64-bit directory)")
    if members > most or size > most * BYTES_PER_MEMBER:
        raise ArchiveError(f"is not the published one (it lists {members} members in {size} bytes)")


def _members(pack: zipfile.ZipFile, sizes: Sizes) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """The members that are listed files, each with its name in the list."""
    found = set()
    for member in pack.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
            raise ArchiveError(f"holds {named(member.filename)}, which would leave the directory; nothing is unpacked")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if stat.S_ISLNK(kind):
            raise ArchiveError(f"holds the link {named(member.filename)}; nothing is unpacked")
        for name in (path.as_posix(), PurePosixPath(*path.parts[1:]).as_posix()):
            # A member of another size is not the published file, and unpacking it could fill the disk.
            if name in sizes and member.file_size == sizes[name]:
                if member.compress_type not in KINDS:
                    raise ArchiveError(f"holds {name} in a compression that the published one does not have")
                if name in found:
                    raise ArchiveError(f"holds {name} twice; nothing is unpacked")
                found.add(name)
                yield member, name
                break
