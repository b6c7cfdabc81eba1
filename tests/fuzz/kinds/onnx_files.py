"""ONNX files. An attacker knows how to make a right checksum, so most changes here get one."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from numpynet.checkpoint import CheckpointError
from numpynet.models import HourglassNet, KeypointNet
from tests.fuzz.changes import ODD, damaged, rebuilt
from tests.fuzz.kinds.weights import HOURGLASS, KEYPOINTS, crop_card
from tests.fuzz.reader import Case, Reader

FILE = "net.onnx"
NESTED: dict[int, Any] = {7: {1: {5: {}}, 5: {}, 11: {2: {1: {2: {1: {}}}}}, 12: {2: {1: {2: {1: {}}}}}}, 8: {}, 14: {}}
"""The fields of a model that are messages: graph (nodes and their attributes, constants, inputs, outputs), operators
and metadata."""


def _seeds() -> list[Case]:
    from fkp_app.backends.onnx.export import to_onnx

    return [
        {FILE: to_onnx(net.eval(), crop_card(arguments, name))}
        for net, arguments, name in (
            (HourglassNet(**HOURGLASS, rng=0), HOURGLASS, "HourglassNet"),
            (KeypointNet(**KEYPOINTS, rng=0), KEYPOINTS, "KeypointNet"),
        )
    ]


def _structure(case: Case) -> st.SearchStrategy[Case]:
    from fkp_app.backends.onnx.card import with_checksum

    model = case[FILE][: -len(with_checksum(b""))]
    assert with_checksum(model) == case[FILE]
    bytewise = damaged(model, [model]).map(lambda data: case | {FILE: with_checksum(data)})
    fieldwise = rebuilt(case, FILE, lambda rng: with_checksum(_changed(model, NESTED, rng, int(rng.integers(1, 4)))))
    return st.one_of(bytewise, fieldwise, fieldwise)


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    """Key and content of each field; the content of a number is the number itself, as it is written."""
    from fkp_app.backends.onnx.protobuf import fields, number_at

    return [
        (number_at(data, one.offset, len(data))[0], data[one.start : one.end]) for one in fields(data, 0, len(data))
    ]


def _joined(fields: list[tuple[int, bytes]]) -> bytes:
    return b"".join(
        _varint(key) + (_varint(len(content)) if key & 7 == 2 else b"") + content for key, content in fields
    )


def _changed(data: bytes, nested: dict[int, Any], rng: np.random.Generator, changes: int) -> bytes:
    """A message with some of its fields, or of those of the messages in it, changed, removed, repeated or moved."""
    try:
        fields = _fields(data)
    except ValueError:  # an earlier change has broken it
        return data
    for _ in range(changes):
        if not fields:
            break
        at = int(rng.integers(len(fields)))
        key, content = fields[at]
        inside = nested.get(key >> 3)
        if inside is not None and key & 7 == 2 and rng.random() < 0.8:
            fields[at] = (key, _changed(content, inside, rng, 1))
            continue
        way = rng.integers(5)
        if way == 0:
            del fields[at]
        elif way == 1:
            fields.insert(at, fields[at])
        elif way == 2:
            other = int(rng.integers(len(fields)))
            fields[at], fields[other] = fields[other], fields[at]
        elif way == 3:  # the content of another field
            fields[at] = (key, fields[int(rng.integers(len(fields)))][1]) if key & 7 == 2 else (key, _odd(rng))
        else:
            fields[at] = (key, _spoiled(key, content, rng))
    return _joined(fields)


def _odd(rng: np.random.Generator) -> bytes:
    return _varint(int(rng.choice([*ODD[:-1], 2**63 - 1, 2**62])))


def _spoiled(key: int, content: bytes, rng: np.random.Generator) -> bytes:
    if key & 7 == 0:
        return _odd(rng)
    if key & 7 in (1, 5):
        return rng.bytes(len(content))
    if not content:
        return b"x"
    out = bytearray(content)
    way = rng.integers(3)
    if way == 0:
        out[int(rng.integers(len(out)))] ^= 1 << int(rng.integers(8))
    elif way == 1:
        del out[int(rng.integers(len(out))) :]
    else:
        out += rng.bytes(int(rng.integers(1, 9)))
    return bytes(out)


def _read(path: Path) -> None:
    from fkp_app.backends.onnx.predictor import OnnxPredictor

    predictor = OnnxPredictor(path)
    size = predictor.card.input_size
    assert predictor(np.zeros((2, 1, size, size), np.float32)).shape == (2, 136)


READERS = [Reader("onnx", _seeds, FILE, _read, (CheckpointError,), structure=_structure, memory=300)]
