"""Changes of safetensors files: of the header's text, of the metadata, and of the tensors under a right checksum."""

import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from numpynet.tensors import load_tensors, save_tensors
from tests.hostile import spoiled, spoiled_tree

Build = Callable[[np.random.Generator], bytes]
TYPES = ["float32", "float16", "float64", "int64", "int32", "uint8", "bool"]


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of a safetensors file, and the bytes of its tensors."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(text: bytes, tensors: bytes) -> bytes:
    """A safetensors file with this header."""
    return struct.pack("<Q", len(text)) + text + tensors


def spoiled_header(data: bytes) -> Build:
    """Changes the tree of the header."""
    header, tensors = header_of(data)
    return lambda rng: with_header(spoiled(header, rng).encode("utf-8", "replace"), tensors)


def moved_entries(data: bytes) -> Build:
    """Changes types, shapes and offsets of tensors to others that are valid by themselves."""
    header, tensors = header_of(data)

    def build(rng: np.random.Generator) -> bytes:
        changed = json.loads(json.dumps(header))
        names = [name for name in changed if name != "__metadata__"]
        for _ in range(int(rng.integers(1, 4))):
            entry = changed[str(rng.choice(names))]
            way = rng.integers(4)
            if way == 0:
                entry["dtype"] = str(rng.choice(["F32", "F16", "BF16", "F8_E4M3", "F8_E8M0", "I64", "BOOL", "C64"]))
            elif way == 1:
                entry["shape"] = [int(n) for n in rng.choice([0, 1, 2, 3, 5, 2**20, 2**40], rng.integers(0, 5))]
            elif way == 2:
                entry["data_offsets"] = changed[str(rng.choice(names))]["data_offsets"]
            else:
                entry["data_offsets"] = sorted(int(n) for n in rng.integers(0, len(tensors) + 9, 2))
        return with_header(json.dumps(changed).encode(), tensors)

    return build


def spoiled_metadata(data: bytes, key: str) -> Build:
    """Changes the JSON text of one entry of the metadata; the checksum is right."""
    tensors, metadata = _content(data)
    tree = json.loads(metadata[key])
    return lambda rng: _saved(tensors, metadata | {key: spoiled(tree, rng).encode("utf-8", "replace").decode()})


def spoiled_tensors(data: bytes) -> Build:
    """Changes keys, shapes, types and numbers of tensors; the checksum is right."""
    tensors, metadata = _content(data)

    def build(rng: np.random.Generator) -> bytes:
        changed = dict(tensors)
        for _ in range(int(rng.integers(1, 4))):
            key = str(rng.choice(sorted(changed))) if changed else "a"
            array = changed.pop(key, np.zeros(1))
            way = rng.integers(7)
            if way == 0:
                changed[key] = array.astype(str(rng.choice(TYPES)))
            elif way == 1:
                changed[key] = array.reshape(-1)[: int(rng.integers(array.size + 1))]
            elif way == 2:
                changed[key + str(rng.choice([".x", "0", "\n", "é"]))] = array
            elif way in (3, 4) and array.size:
                array = array.copy()
                values = [-1, 0, 1, 255] if array.dtype.kind in "iub" else [np.nan, np.inf, -1.0, 1e30, 0.5, 1e9, 0]
                with np.errstate(all="ignore"):
                    array.reshape(-1)[rng.integers(array.size)] = np.array(rng.choice(values)).astype(array.dtype)
                changed[key] = array
            elif way == 5:
                changed[key] = np.empty((0, *array.shape), array.dtype)
        return _saved(changed, metadata)

    return build


def spoiled_json_tensor(data: bytes, key: str) -> Build:
    """Changes a tensor of bytes that hold JSON, such as the state of a generator; the checksum is right."""
    tensors, metadata = _content(data)
    tree = json.loads(tensors[key].tobytes())

    def build(rng: np.random.Generator) -> bytes:
        text = json.dumps(spoiled_tree(tree, rng)).encode("utf-8", "replace")
        return _saved(tensors | {key: np.frombuffer(text, np.uint8)}, metadata)

    return build


def _content(data: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        path.write_bytes(data)
        return load_tensors(path)


def _saved(tensors: dict[str, Any], metadata: dict[str, str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        save_tensors(path, tensors, metadata)
        return path.read_bytes()
