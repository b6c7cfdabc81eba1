"""Reads the directories of tags that TIFF files and EXIF blocks consist of. No number in them is trusted."""

import struct
from typing import BinaryIO, NamedTuple

ORIENTATION = 274
MOST_TAGS = 1 << 18
"""Most tags of all directories. They may overlap, so that a small file could hold any number of large ones."""
_INTEROPERABILITY, _EXIF, _INDEX = 40965, 34665, 1
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}
"""struct's codes of the tag types that are unsigned integers."""


class Tag(NamedTuple):
    """One tag. kind: the number of its type; place: offset of its first value; size: bytes of all values, as claimed;
    entry: its bytes in the directory."""

    kind: int
    place: int
    size: int
    entry: bytes


class Directories:
    """The directories of a TIFF file, or of an EXIF block, which is one. ValueError if there is no TIFF header."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, MOST_TAGS
        file.seek(0)
        head = file.read(16)
        if head[:2] not in (b"II", b"MM") or len(head) < 8:
            raise ValueError("no TIFF header")
        self._order = "<" if head[:2] == b"II" else ">"
        self._big = self._unpack("H", head[2:4]) == 43
        if self._big and len(head) < 16:
            raise ValueError("no TIFF header")
        self.first = self._unpack("Q", head[8:16]) if self._big else self._unpack("L", head[4:8])

    def read(self, place: int) -> tuple[dict[int, Tag], int]:
        """The tags of the directory at this offset, and the offset of the next directory, 0 if there is none.

        Tags that lie beyond the file's end are left out. If all directories so far have more than MOST_TAGS, this one
        counts as empty.
        """
        step, counter, number = (20, "Q", "Q") if self._big else (12, "H", "L")
        self._file.seek(min(place, 1 << 62))
        length, room = struct.calcsize("=" + counter), struct.calcsize("=" + number)
        start = self._file.read(length)
        if len(start) < length:
            return {}, 0
        count = min(self._unpack(counter, start), 1 << 16)
        self._left -= count
        if self._left < 0:
            return {}, 0
        data = self._file.read(count * step)
        after = self._file.read(room)
        tags: dict[int, Tag] = {}
        for i in range(len(data) // step):
            tag, kind, values = struct.unpack_from(f"{self._order}HH{number}", data, i * step)
            size = values * _SIZES.get(kind, 1)
            inside = i * step + step - room  # holds the values, or their offset if they need more room
            (far,) = struct.unpack_from(self._order + number, data, inside)
            entry = data[i * step : (i + 1) * step]
            tags.setdefault(tag, Tag(kind, far if size > room else place + length + inside, size, entry))
        return tags, self._unpack(number, after) if len(after) == room else 0

    def is_empty(self, place: int) -> bool:
        """Whether there is a directory without tags, as some programs write it."""
        length = 8 if self._big else 2
        self._file.seek(min(place, 1 << 62))
        return self._file.read(length) == bytes(length)

    def single(self, tags: list[Tag], length: int) -> tuple[bytes, bytes]:
        """A header, and a directory of these tags alone, which is to be appended to a file of `length` bytes."""
        counter, number = ("Q", "Q") if self._big else ("H", "L")
        mark = b"II" if self._order == "<" else b"MM"
        version = struct.pack(self._order + "HHH", 43, 8, 0) if self._big else struct.pack(self._order + "H", 42)
        head = mark + version + struct.pack(self._order + number, length)
        entries = b"".join(tag.entry for tag in tags)
        return head, struct.pack(self._order + counter, len(tags)) + entries + struct.pack(self._order + number, 0)

    def numbers(self, tag: Tag | None, most: int = 64) -> tuple[int, ...]:
        """The first values of a tag, at most `most`; none if it is missing or its type is no unsigned integer."""
        if tag is None or tag.kind not in _WHOLE:
            return ()
        code, width = _WHOLE[tag.kind], _SIZES[tag.kind]
        data = self.bytes_of(tag, most * width)
        return struct.unpack(f"{self._order}{len(data) // width}{code}", data[: len(data) // width * width])

    def bytes_of(self, tag: Tag, most: int) -> bytes:
        """The first bytes of a tag's values, at most `most`."""
        self._file.seek(min(tag.place, 1 << 62))
        return self._file.read(min(tag.size, most))

    def orientation(self, tags: dict[int, Tag]) -> int | None:
        """The orientation, 1 .. 8; None if the directory has none, or another value."""
        turn = self.numbers(tags.get(ORIENTATION))[:1]
        return turn[0] if turn and 1 <= turn[0] <= 8 else None

    def is_adobe_rgb(self, tags: dict[int, Tag]) -> bool:
        """Whether a camera marked the photo as Adobe RGB, in DCF's way: an interoperability index of R03."""
        for pointer in (_EXIF, _INTEROPERABILITY):
            place = self.numbers(tags.get(pointer))[:1]
            if not place:
                return False
            tags, _ = self.read(place[0])
        return _INDEX in tags and self.bytes_of(tags[_INDEX], 4) == b"R03\0"

    def _unpack(self, code: str, data: bytes) -> int:
        value: int = struct.unpack(self._order + code, data)[0]
        return value
