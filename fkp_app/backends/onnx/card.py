"""The weights card in an ONNX file, read without the package onnx, and the seal that tells damage.

An ONNX file is a protobuf message: a run of fields, each a number, a kind and a content. Fields METADATA hold a key and
a value each. `fkp export` puts the card into one, and a seal into the last: the SHA-256 of all bytes before it. Without
it OpenCV, which runs the file, may crash on a damaged one. A seal tells damage, not malice.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from fkp_app.geometry.crop_card import CropCard
from numpynet.checkpoint import CheckpointError, WeightsCard
from numpynet.files import not_a_file

INPUT, OUTPUT = "crops", "keypoints"
"""What the network's input and output are called in the file."""
METADATA, KEY, VALUE = 14, 1, 2
"""Numbers of fields: of a model's entry of metadata, and of key and value in it."""
SEAL = "numpynet.sha256"
MOST_BYTES = 2**31
"""A protobuf message is smaller."""
MOST_FIELDS = 1000
MOST_CARD = 2**20

Span = tuple[int, int]


def is_onnx(path: Path) -> bool:
    """Whether to read a file as ONNX: by its first bytes, or by its name where they tell nothing else."""
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
    """The contents of a file that `fkp export` wrote, and the card in it. CheckpointError where it is anything else."""
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
    card = {key: value for key, value, _ in entries if key != SEAL}
    if "numpynet" not in card:
        raise CheckpointError(f"{path}: is an ONNX file, but not one that `fkp export --onnx` wrote; name such a file")
    key, seal, begin = entries[-1]
    if key != SEAL or seal != hashlib.sha256(memoryview(data)[:begin]).hexdigest():
        raise CheckpointError(f"{path}: is damaged, or was changed after `fkp export` wrote it; export it again")
    return data, CropCard.of(WeightsCard.from_metadata(card, path), path)


def sealed(data: bytes) -> bytes:
    """The contents of an ONNX file with the seal put behind."""
    seal = hashlib.sha256(data).hexdigest()
    return data + _field(METADATA, _field(KEY, SEAL.encode()) + _field(VALUE, seal.encode()))


def _field(number: int, content: bytes) -> bytes:
    """A field with a short content: its number and kind, the length, the content."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def _metadata(data: bytes) -> Iterator[tuple[str, str, int]]:
    """Key, value and place of every entry of metadata. ValueError where the data are no protobuf message."""
    for number, begin, (start, end) in _fields(data, 0, len(data)):
        if number == METADATA:
            if end - start > MOST_CARD:
                raise ValueError("its metadata are too long")
            entry = {inner: data[a:b].decode() for inner, _, (a, b) in _fields(data, start, end)}
            yield entry.get(KEY, ""), entry.get(VALUE, ""), begin


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, Span]]:
    """Every field of the message data[at:end]: its number, where it begins, and where its content begins and ends.

    ValueError where that would lie outside the message, or there are more fields than a model has.
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
    """The number written from `at` on, seven bits a byte, the lowest first; and where it ends."""
    number = 0
    for i, byte in enumerate(data[at : min(end, at + 10)]):
        number |= (byte & 127) << 7 * i
        if byte < 128:
            return number, at + i + 1
    raise ValueError("a number does not end")
