"""Reads protobuf messages from files that are not trusted, without the package onnx.

A message is a sequence of fields. Each has a number, a kind and a content: a number, 4 or 8 bytes, or any bytes, which
may be a text or a message.
"""

from collections.abc import Iterator
from typing import NamedTuple

MOST_FIELDS = 10_000
NUMBER, EIGHT, BYTES, FOUR = 0, 1, 2, 5
"""The kinds of content."""


class Field(NamedTuple):
    """A field of a message: its number, its kind, its offset, and the span of its content."""

    number: int
    kind: int
    offset: int
    start: int
    end: int


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message data[start:end].

    ValueError if a span reaches beyond the message, or if there are more than MOST_FIELDS fields.
    """
    at = start
    for _ in range(MOST_FIELDS):
        if at == end:
            return
        offset = at
        key, at = number_at(data, at, end)
        kind = key & 7
        if kind == NUMBER:
            stop = number_at(data, at, end)[1]
        elif kind == BYTES:
            length, at = number_at(data, at, end)
            stop = at + length
        elif kind in (EIGHT, FOUR):
            stop = at + (8 if kind == EIGHT else 4)
        else:
            raise ValueError(f"a field of kind {kind}")
        if stop > end:
            raise ValueError("a field reaches beyond the end")
        yield Field(key >> 3, kind, offset, at, stop)
        at = stop
    raise ValueError("too many fields")


def number_at(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number that begins at `at`, with seven bits per byte, the lowest first; and the offset of its end."""
    number = 0
    for i, byte in enumerate(data[at : min(end, at + 10)]):
        number |= (byte & 127) << 7 * i
        if byte < 128:
            return number, at + i + 1
    raise ValueError("a number does not end")


def text_field(number: int, content: bytes) -> bytes:
    """A field whose content has fewer than 128 bytes: its number and kind, the content's length, the content."""
    assert len(content) < 128
    return bytes([number << 3 | BYTES, len(content)]) + content
