"""Tensors on disk: safetensors files with a checksum, read strictly. Nothing is ever unpickled."""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from numpynet.files import atomic, not_a_file
from numpynet.small_floats import SMALL_FLOATS
from numpynet.strict_json import read_json, shown
from numpynet.typing import AnyArray

CHECKSUM = "crc32"
"""The key of the checksum in the metadata. It has two parts: for the layout of the tensors, and for everything else."""
LONGEST_HEADER = 1 << 22  # bytes
MOST_AXES = 16
TYPES = {
    "BOOL": "bool",
    **{f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    "C64": "<c8",
}
"""NumPy's dtype for each type of safetensors, by its name there."""
ORDER = ("BOOL", "U8", "I8", "I16", "U16", "F16", "I32", "U32", "F32", "C64", "F64", "I64", "U64")
"""The order in which the file holds the types, from its end to its start. It is that of the safetensors library: wide
types come first in the file, so that all numbers are aligned."""
ALIGNED = 8
"""In bytes. The length of the header is a multiple of this, and the number that states it has this many bytes."""
NAMES = {np.dtype(kind): name for name, kind in TYPES.items()}
STORED = TYPES | {"BF16": "<u2", "F8_E5M2": "u1", "F8_E4M3": "u1"}
"""The dtype as which each type's bytes are read. SMALL_FLOATS then converts the last three to float32."""


class CheckpointError(ValueError):
    """A file cannot be used as weights. The message is one line: the file, what is wrong, what to do."""


class Entry(NamedTuple):
    """A tensor in a file: its type of number, its shape, and the offsets of its first byte and of the byte after it."""

    type: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Header(NamedTuple):
    """The header of a safetensors file: its tensors, its metadata without the checksum, and the checksum."""

    tensors: dict[str, Entry]
    metadata: dict[str, str]
    checksum: str | None


def save_tensors(path: str | Path, tensors: Mapping[str, AnyArray], metadata: Mapping[str, str]) -> None:
    """Write `tensors` and `metadata` to the safetensors file `path`. A failure leaves the old file as it was.

    The metadata get a checksum, with which `load_tensors` detects damage. OSError if the file cannot be written,
    ValueError if safetensors has no type for the dtype of an array.
    """
    arrays = {key: np.asarray(array, array.dtype.newbyteorder("<"), order="C") for key, array in tensors.items()}
    for key, array in arrays.items():
        if array.dtype not in NAMES:
            raise ValueError(f"{path}: cannot hold {key}, which is {array.dtype}")
    layout = {key: (NAMES[array.dtype], array.shape) for key, array in arrays.items()}
    known = {key: text for key, text in metadata.items() if key != CHECKSUM}
    seal = checksum(layout, known, arrays.__getitem__)
    # We do not use the library here: it writes a temporary file that only its owner can read, and that stays if the
    # process is killed. It also writes the metadata in random order, but equal weights must give equal files.
    order = sorted(arrays, key=lambda key: (-ORDER.index(layout[key][0]), key))
    header: dict[str, Any] = {"__metadata__": dict(sorted((known | {CHECKSUM: seal}).items()))}
    end = 0
    for key in order:
        begin, end = end, end + arrays[key].nbytes
        header[key] = {"dtype": layout[key][0], "shape": layout[key][1], "data_offsets": (begin, end)}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNED)
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(ALIGNED, "little") + text)
        for key in order:
            file.write(arrays[key].reshape(-1).view(np.uint8).data)


def load_tensors(
    path: str | Path, header: Header | None = None, sealed: bool = False
) -> tuple[dict[str, AnyArray], dict[str, str]]:
    """Every tensor of a safetensors file, and the metadata. bfloat16 and float8 become float32, without any loss.

    header: the result of `read_header` for this file; None to read it here. sealed: whether `save_tensors` must have
    written the file as it is; then one without a checksum counts as damaged, and so does one that another program has
    converted. CheckpointError if the file is no safetensors file, is damaged, or holds a type of number that is not in
    STORED.
    """
    path = Path(path)
    tensors, metadata, seal = header or read_header(path)
    for key, entry in tensors.items():
        if entry.type not in STORED:
            raise CheckpointError(f"{path}: {key} is of type {entry.type}, which cannot be read; save it as F32")
    try:
        with path.open("rb") as file:
            raw = {key: _read(file, entry) for key, entry in tensors.items()}
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from None
    except MemoryError:
        raise CheckpointError(f"{path}: is too large for this machine's memory") from None
    layout = {key: (entry.type, entry.shape) for key, entry in tensors.items()}
    if seal is not None or sealed:
        expected, found = checksum(layout, metadata, raw.__getitem__), seal or ""
        # If the layout differs too, nothing is damaged: another program has converted the file and kept the checksum.
        if expected != found and (sealed or expected.split("-")[0] == found.split("-")[0]):
            raise CheckpointError(
                f"{path}: is damaged, or was changed by a program that kept its checksum; get the file again"
            )
    return {
        key: SMALL_FLOATS[entry.type](raw[key]) if entry.type in SMALL_FLOATS else raw[key]
        for key, entry in tensors.items()
    }, metadata


def checksum(
    layout: Mapping[str, tuple[str, Iterable[int]]], metadata: Mapping[str, str], data: Callable[[str], AnyArray]
) -> str:
    """Two CRC-32: of the layout (type and shape of every tensor), and of the metadata and the tensors' bytes.

    layout: type and shape by key. data: returns the numbers of the tensor with a key, as they are stored.
    """
    keys = sorted(layout)
    outline = zlib.crc32(json.dumps([[key, layout[key][0], *layout[key][1]] for key in keys]).encode())
    content = zlib.crc32(json.dumps(sorted(metadata.items())).encode())
    for key in keys:
        content = zlib.crc32(data(key).reshape(-1).view(np.uint8).data, content)
    return f"{outline:08x}-{content:08x}"


def read_header(path: str | Path) -> Header:
    """The checked header of a safetensors file. CheckpointError if the file is damaged or of another kind."""
    # Imported here: until a file is read, numpynet needs NumPy alone.
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    text = _header_text(path)
    try:
        table = read_json(text.decode())
        metadata = table.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata are not a table of texts")
        tensors = {key: _entry(key, fields, 8 + len(text)) for key, fields in table.items()}
        with safe_open(path, framework="numpy"):  # the library checks that types, shapes and offsets fit
            pass
    except (AttributeError, ValueError, OSError, SafetensorError) as error:
        reason = str(error).split("\n")[0][:200]
        raise CheckpointError(f"{path}: is truncated or damaged ({reason}); get the file again") from None
    return Header(tensors, {key: value for key, value in metadata.items() if key != CHECKSUM}, metadata.get(CHECKSUM))


def _entry(key: str, fields: dict[str, Any], offset: int) -> Entry:
    """The entry of one tensor in a header. ValueError if it is invalid.

    fields: the entry in JSON. offset: the position in the file from which its offsets count.
    """
    kind, shape, places = fields.get("dtype"), fields.get("shape", ()), fields.get("data_offsets", ())
    numbers = isinstance(shape, list) and isinstance(places, list) and len(places) == 2
    if not (isinstance(kind, str) and numbers and all(type(n) is int and 0 <= n < 1 << 48 for n in shape + places)):
        raise ValueError(f"{shown(key)} has the invalid entry {shown(fields)}")
    if len(shape) > MOST_AXES:
        raise ValueError(f"{shown(key)} has {len(shape)} axes, more than {MOST_AXES}")
    return Entry(kind, tuple(shape), offset + places[0], offset + places[1])


def _read(file: BufferedReader, entry: Entry) -> AnyArray:
    """The numbers of a tensor, as they are stored. OSError if the file ends too early."""
    array = np.empty(entry.shape, STORED[entry.type])
    file.seek(entry.begin)
    if array.nbytes != entry.end - entry.begin or file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:
        raise OSError("it ends too early")
    return array


def _header_text(path: Path) -> bytes:
    """The bytes of the header. CheckpointError if the file has none; its message says what the file is instead."""
    if (reason := not_a_file(path)) is not None:
        raise CheckpointError(f"{path}: {reason}" + ("" if "no such" in reason else "; name a .safetensors file"))
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(512)
            length = int.from_bytes(head[:8], "little")
            file.seek(8)
            text = file.read(min(length, LONGEST_HEADER))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    if not head:
        raise CheckpointError(f"{path}: is empty; get the file again")
    if head[8:9] != b"{" or length < 2:  # a valid length may look like the first bytes of another kind
        raise CheckpointError(f"{path}: {_other_kind(head)}")
    if 8 + length > size:
        raise CheckpointError(f"{path}: is truncated; get the file again")
    if length > LONGEST_HEADER:
        raise CheckpointError(
            f"{path}: has a header of {length} bytes, which no weights file needs; get the file again"
        )
    return text


def _other_kind(head: bytes) -> str:
    """What kind of file begins with these bytes, and what to do; for an error message."""
    if head.lstrip()[:1] == b"<":
        return "is an HTML page, not weights; download the file itself, not its web page"
    if head[:4] == b"PK\x03\x04" and b".npy" in head:
        return "is a NumPy file; save its arrays with numpynet.save_weights"
    if (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05") or head[:4] == b"PK\x03\x04":
        return "is a pickle, which may run any code and is never opened here; save it as .safetensors"
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer instead of the file; fetch the file with `git lfs pull`"
    return "is not a .safetensors file"
