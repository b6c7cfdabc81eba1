"""Hypothesis strategies that change files: their bytes, or the JSON and TOML tables in them."""

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.hostile import spoiled, spoiled_tree

ODD = [
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0xFFFFFFFFFFFFFFFF,
]
"""Numbers at which lengths and sizes overflow."""
FORMS = ["<B", "<H", ">H", "<I", ">I", "<Q", ">Q"]
KINDS = ["flip", "bytes", "number", "remove", "repeat", "zero", "cut", "splice", "lengthen"]
HEAD = 256
"""Headers and indices, where damage does most, stand at the beginning or at the end."""


def damaged(data: bytes, donors: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """The data changed at one to five places. donors: files of which a piece may be put into this one."""
    most = max(0, len(data) - 1)
    place = st.one_of(st.integers(0, min(HEAD, most)), st.integers(0, most), st.integers(max(0, most - HEAD), most))
    change = st.tuples(st.sampled_from(KINDS), place, st.integers(1, 64), st.integers(0, 2**32 - 1))
    return st.lists(change, min_size=1, max_size=5).map(lambda changes: _apply(data, changes, donors or [data]))


def _apply(data: bytes, changes: Sequence[tuple[str, int, int, int]], donors: Sequence[bytes]) -> bytes:
    out = bytearray(data)
    for kind, at, length, value in changes:
        at = min(at, max(0, len(out) - 1))
        if kind == "flip" and out:
            out[at] ^= 1 << value % 8
        elif kind == "bytes":
            piece = np.random.default_rng(value).bytes(length)
            out[at : at + length] = piece[: len(out) - at]
        elif kind == "number":
            form = FORMS[value % len(FORMS)]
            number = ODD[value // len(FORMS) % len(ODD)] % (1 << 8 * struct.calcsize(form))
            piece = struct.pack(form, number)
            out[at : at + len(piece)] = piece[: len(out) - at]
        elif kind == "remove":
            del out[at : at + length]
        elif kind == "repeat":
            out[at:at] = out[at : at + length] * (1 + value % 3)
        elif kind == "zero":
            out[at : at + length] = bytes(min(length, len(out) - at))
        elif kind == "cut":
            del out[at:]
        elif kind == "lengthen":
            out += np.random.default_rng(value).bytes(length)
        else:
            donor = donors[value % len(donors)]
            begin = value // len(donors) % max(1, len(donor))
            out[at : at + length] = donor[begin : begin + 4 * length]
    return bytes(out)


def numbers() -> st.SearchStrategy[np.random.Generator]:
    """Generators for code that draws its changes from NumPy."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


def changed_json(tree: Any) -> st.SearchStrategy[str]:
    """The JSON text of a tree with changed, missing and further values, some of them very deep or very long."""
    return numbers().map(lambda rng: spoiled(tree, rng))


def changed_toml(tree: Any) -> st.SearchStrategy[str]:
    """The TOML text of a table with changed, missing and further values."""
    return numbers().map(lambda rng: toml(spoiled_tree(tree, rng)))


def toml(table: Any) -> str:
    """A table as TOML; each value of the outermost table on a line of its own."""
    if not isinstance(table, dict):
        return f"value = {_value(table)}\n"
    return "".join(f"{_text(str(key))} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(str(key))} = {_value(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return '"none"'
    if isinstance(value, float):
        return repr(value) if np.isfinite(value) else str(value)
    return json.dumps(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def mapped(case: dict[str, bytes], name: str, texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, bytes]]:
    """The case with one of these texts as the content of a file."""
    return texts.map(lambda text: case | {name: text.encode("utf-8", "surrogatepass")})


def rebuilt(
    case: dict[str, bytes], name: str, build: Callable[[np.random.Generator], bytes]
) -> st.SearchStrategy[dict[str, bytes]]:
    """The case with the result of `build` as the content of a file."""
    return numbers().map(lambda rng: case | {name: build(rng)})
