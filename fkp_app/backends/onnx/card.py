"""The weights card and the checksum in an ONNX file, read without the package onnx.

An ONNX file is a protobuf message: a sequence of fields, and each field has a number, a kind and a content. A field
with the number METADATA holds a key and a value. `fkp export` writes the card into one such field, and into the last
one a checksum: the SHA-256 of all bytes before it.

Weights in safetensors carry a checksum for the same reason (`numpynet.tensors`): a changed weight still makes a valid
file, and the network would silently give other points. A file that another tool has changed is refused too: its
checksum is as wrong as that of a damaged file.

The checksum finds damage, not an attacker. `network` finds the latter: OpenCV parses an ONNX file in C++, so it gets
none but those whose every field `fkp export` could have written.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from fkp_app.backends.onnx.network import check_network
from fkp_app.backends.onnx.protobuf import fields, text_field
from fkp_app.geometry.crop_card import CropCard
from numpynet.checkpoint import CheckpointError, WeightsCard
from numpynet.files import not_a_file

METADATA, KEY, VALUE = 14, 1, 2
"""The numbers of three fields: an entry of a model's metadata, and the key and the value in such an entry."""
CHECKSUM = "numpynet.sha256"
"""The key of the metadata entry that holds the checksum."""
MOST_BYTES = 2**31
"""A protobuf message has fewer bytes."""
MOST_CARD = 2**20  # bytes


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
    read = CropCard.of(WeightsCard.from_metadata(card, path), path)
    try:
        check_network(data, read.input_size)
    except ValueError as error:
        raise CheckpointError(f"{path}: holds no network that `fkp export` writes ({error}); export it again") from None
    return data, read


def with_checksum(data: bytes) -> bytes:
    """The bytes of an ONNX file, followed by their checksum as one more entry of metadata."""
    checksum = hashlib.sha256(data).hexdigest()
    return data + text_field(METADATA, text_field(KEY, CHECKSUM.encode()) + text_field(VALUE, checksum.encode()))


def _metadata(data: bytes) -> Iterator[tuple[str, str, int]]:
    """The key, the value and the first byte's offset of each entry of metadata.

    ValueError if the data are no protobuf message.
    """
    for one in fields(data, 0, len(data)):
        if one.number == METADATA:
            if one.end - one.start > MOST_CARD:
                raise ValueError("its metadata are too long")
            entry = {part.number: data[part.start : part.end].decode() for part in fields(data, one.start, one.end)}
            yield entry.get(KEY, ""), entry.get(VALUE, ""), one.offset
