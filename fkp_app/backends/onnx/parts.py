"""The parts of an ONNX model that is not trusted: operators and constants. Each of their fields is checked."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fkp_app.backends.onnx.protobuf import BYTES, FOUR, NUMBER, Field, fields, number_at, text_field
from numpynet.strict_json import shown
from numpynet.typing import AnyArray

MOST_SIDE = 1 << 12
"""The largest number among an operator's attributes: a kernel's side, a stride, a padding."""
MOST_AXES = 4
KINDS: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 7: np.dtype("<i8")}
"""The dtypes of constants, by ONNX's number of each."""

Layout = dict[int, tuple[int, bool]]
"""The fields that a message may have: for each number its kind, and whether it may occur more than once."""
MODEL: Layout = {1: (NUMBER, False), 2: (BYTES, False), 7: (BYTES, False), 8: (BYTES, False), 14: (BYTES, True)}
GRAPH: Layout = {1: (BYTES, True), 2: (BYTES, False), 5: (BYTES, True), 11: (BYTES, False), 12: (BYTES, False)}
NODE: Layout = {1: (BYTES, True), 2: (BYTES, False), 3: (BYTES, False), 4: (BYTES, False), 5: (BYTES, True)}
ATTRIBUTE: Layout = {
    **{1: (BYTES, False), 2: (FOUR, False), 3: (NUMBER, False), 4: (BYTES, False), 8: (NUMBER, True)},
    20: (NUMBER, False),
}
CONSTANT: Layout = {1: (NUMBER, True), 2: (NUMBER, False), 8: (BYTES, False), 9: (BYTES, False)}
HOLDER = {1: 2, 2: 3, 3: 4, 7: 8}
"""The field that holds an attribute's value, by the attribute's type: a float, a whole number, a text, or a list."""

Value = int | float | str | list[int]


@dataclass
class Node:
    """An operator: its name, the names of its inputs and of its output, its attributes."""

    operator: str
    inputs: list[str]
    output: str
    attributes: dict[str, Value]

    def sides(self, name: str, count: int, least: int) -> list[int]:
        """An attribute that is a list of `count` whole numbers from `least` to MOST_SIDE. ValueError if it is not."""
        value = self.attributes.get(name)
        if not isinstance(value, list) or len(value) != count or not all(least <= side <= MOST_SIDE for side in value):
            raise ValueError(f"{self.operator} has the {name} {shown(value)}")
        return value


def table(data: bytes, start: int, end: int, layout: Layout) -> dict[int, list[Field]]:
    """The fields of a message by their number. ValueError if one is not in the layout."""
    found: dict[int, list[Field]] = {}
    for one in fields(data, start, end):
        kind, many = layout.get(one.number, (None, False))
        if one.kind != kind or (one.number in found and not many):
            raise ValueError(f"it has a field {one.number} that is not written there")
        found.setdefault(one.number, []).append(one)
    return found


def node_of(data: bytes, place: Field) -> Node:
    """The operator in a field of a graph. ValueError if it has a field that is not written there."""
    found = table(data, place.start, place.end, NODE)
    attributes: dict[str, Value] = {}
    for one in found.get(5, []):
        name, value = _attribute(data, one)
        if name in attributes:
            raise ValueError(f"an operator has the attribute {shown(name)} twice")
        attributes[name] = value
    inputs = [_text(data, one) for one in found.get(1, [])]
    return Node(_first_text(data, found, 4), inputs, _first_text(data, found, 2), attributes)


def _attribute(data: bytes, place: Field) -> tuple[str, Value]:
    found = table(data, place.start, place.end, ATTRIBUTE)
    holder = HOLDER.get(_first_number(data, found, 20), 0)
    if found.keys() - {1, 20} != {holder}:
        raise ValueError("an attribute is of another type")
    first = found[holder][0]
    value: Value
    if holder == 2:
        (value,) = struct.unpack("<f", data[first.start : first.end])
    elif holder == 3:
        value = _number(data, first)
    elif holder == 4:
        value = _text(data, first)
    else:
        value = [_number(data, one) for one in found[holder]]
    return _first_text(data, found, 1), value


def constant_of(data: bytes, place: Field) -> tuple[str, AnyArray]:
    """The name and the numbers of a constant of a graph; the numbers are not copied. ValueError if it is no whole one,
    or holds NaN or infinity."""
    found = table(data, place.start, place.end, CONSTANT)
    name, kind = _first_text(data, found, 8), KINDS.get(_first_number(data, found, 2))
    shape = [_number(data, one) for one in found.get(1, [])]
    start, end = next(((one.start, one.end) for one in found.get(9, [])), (0, 0))
    if kind is None or len(shape) > MOST_AXES or prod(shape) * kind.itemsize != end - start:
        raise ValueError(f"the constant {shown(name)} is of another type or size")
    array = np.frombuffer(data, kind, prod(shape), start).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError(f"the constant {shown(name)} holds NaN or infinity")
    return name, array


def value_info(name: str, shape: Sequence[bytes | int | None]) -> bytes:
    """The field that states the name and the shape of a graph's input or output; an axis is a name, a size or open."""
    axes = b"".join(text_field(1, _axis(axis)) for axis in shape)
    kind = text_field(1, b"\x08\x01" + text_field(2, axes))  # float32
    return text_field(1, name.encode()) + text_field(2, kind)


def _axis(axis: bytes | int | None) -> bytes:
    if axis is None:
        return b""
    if isinstance(axis, bytes):
        return text_field(2, axis)
    return b"\x08" + (bytes([axis]) if axis < 128 else bytes([axis & 127 | 128, axis >> 7]))


def _text(data: bytes, place: Field) -> str:
    return data[place.start : place.end].decode()


def _number(data: bytes, place: Field) -> int:
    return number_at(data, place.start, place.end)[0]


def _first_text(data: bytes, found: dict[int, list[Field]], number: int) -> str:
    return _text(data, found[number][0]) if number in found else ""


def _first_number(data: bytes, found: dict[int, list[Field]], number: int) -> int:
    return _number(data, found[number][0]) if number in found else 0
