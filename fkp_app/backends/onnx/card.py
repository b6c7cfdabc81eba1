"""The weights card and the checksum in an ONNX file, read without the package onnx.

An ONNX file is a protobuf message: a sequence of fields, and each field has a number, a kind and a content. A field
with the number METADATA holds a key and a value. `fkp export` writes the card into one such field, and into the last
one a checksum: the SHA-256 of all bytes before it.

Weights in safetensors carry a checksum for the same reason (`numpynet.tensors`): a changed weight still makes a valid
file, and the network would silently give other points. Here it has a second reason. numpynet checks the layout of a
safetensors file itself, but OpenCV parses an ONNX file in C++ and may crash on a damaged one, so damage must be found
before OpenCV sees the file. For that reason a file that another tool has changed is refused too: its checksum is as
wrong as that of a damaged file. The checksum finds damage, not an attacker.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from fkp_app.geometry.crop_card import CropCard
from numpynet.checkpoint import CheckpointError, WeightsCard
from numpynet.files import not_a_file

INPUT, OUTPUT = "crops", "keypoints"
"""The names of the network's input and output in the file."""
METADATA, KEY, VALUE = 14, 1, 2
"""The numbers of three fields: an entry of a model's metadata, and the key and the value in such an entry."""
CHECKSUM = "numpynet.sha256"
"""The key of the metadata entry that holds the checksum."""
MOST_BYTES = 2**31
"""A protobuf message has fewer bytes."""
MOST_FIELDS = 1000
MOST_CARD = 2**20  # bytes

Span = tuple[int, int]


def is_onnx(path: Path) -> bool:
    """Whether to read a file as ONNX: its first bytes decide, or its suffix if they fit no known format."""
    if not_a_file(path) is not None:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return False
    if head[8:9] == b"{" or head.lstrip()[:1] in (b"", b"<"):  # safetensors, nothing, HTML
        return False
    return head[:1] == b"\x08" or path.suffix.lower() == ".onnx"  # field 1, a number: the version of the format


def load_onnx(path: Path) -> tuple[bytes, CropCard]:
    """The bytes of a file that `fkp export` wrote, and the card in it. CheckpointError if it is any other file."""
    try:
        if path.stat().st_size >= MOST_BYTES:
            raise CheckpointError(f"{path}: has 2 GiB or more, which no ONNX file can have")
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        entries = list(_metadata(data))
    except ValueError as error:
        raise CheckpointError(f"{path}: is truncated, damaged or no ONNX file ({error}); get the file again") from None
    card = {key: value for key, value, _ in entries if key != CHECKSUM}
    if "numpynet" not in card:
        raise CheckpointError(f"{path}: is an ONNX file, but not one that `fkp export --onnx` wrote; name such a file")
    key, checksum, begin = entries[-1]
    if key != CHECKSUM or checksum != hashlib.sha256(memoryview(data)[:begin]).hexdigest():
        raise CheckpointError(f"{path}: is damaged, or was changed after `fkp export` wrote it; export it again")
    return data, CropCard.of(WeightsCard.from_metadata(card, path), path)


def with_checksum(data: bytes) -> bytes:
    """The bytes of an ONNX file, followed by their checksum as one more entry of metadata."""
    checksum = hashlib.sha256(data).hexdigest()
    return data + _field(METADATA, _field(KEY, CHECKSUM.encode()) + _field(VALUE, checksum.encode()))


def _field(number: int, content: bytes) -> bytes:
    """A field whose content has fewer than 128 bytes: its number and kind, the content's length, the content."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def _metadata(data: bytes) -> Iterator[tuple[str, str, int]]:
    """The key, the value and the first byte's offset of each entry of metadata.

    ValueError if the data are no protobuf message.
    """
    for number, begin, (start, end) in _fields(data, 0, len(data)):
        if number == METADATA:
            if end - start > MOST_CARD:
                raise ValueError("its metadata are too long")
            entry = {inner: data[a:b].decode() for inner, _, (a, b) in _fields(data, start, end)}
            yield entry.get(KEY, ""), entry.get(VALUE, ""), begin


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, Span]]:
    """The fields of the message data[at:end]: for each its number, its offset, and the span of its content.

    ValueError if a span reaches beyond the message, or if there are more than MOST_FIELDS fields.
    """
    for _ in range(MOST_FIELDS):
        if at == end:
            return
        begin = at
        key, at = _number(data, at, end)
        kind = key & 7
        if kind == 0:
            stop = _number(data, at, end)[1]
        elif kind == 2:
            length, at = _number(data, at, end)
            stop = at + length
        elif kind in (1, 5):
            stop = at + (8 if kind == 1 else 4)
        else:
            raise ValueError(f"a field of kind {kind}")
        if stop > end:
            raise ValueError("a field reaches beyond the end")
        yield key >> 3, begin, (at, stop)
        at = stop
    raise ValueError("too many fields")


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number that begins at `at`, with seven bits per byte, the lowest first; and the offset of its end."""
    number = 0
    for i, byte in enumerate(data[at : min(end, at + 10)]):
        number |= (byte & 127) << 7 * i
        if byte < 128:
            return number, at + i + 1
    raise ValueError("a number does not end")
