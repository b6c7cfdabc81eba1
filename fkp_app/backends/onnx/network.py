"""Checks the network in an ONNX file that is not trusted, before OpenCV gets it.

Every field must be one that `fkp export` writes: its operators, with their attributes and constants, in an order in
which each uses what was made before. The shape of each value is worked out, so that layers fit and memory has a limit.
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from fkp_app.backends.onnx.parts import GRAPH, MODEL, MOST_SIDE, Node, constant_of, node_of, table, value_info
from fkp_app.backends.onnx.protobuf import Field
from numpynet.architectures import MOST_NUMBERS
from numpynet.strict_json import shown
from numpynet.typing import AnyArray

INPUT, OUTPUT = "crops", "keypoints"
"""The names of the network's input and output in the file."""
OUTPUTS = 136
OPERATORS = b"\x0a\x00\x10\x0d"
"""The field that states version 13 of the standard operators."""
MOST_WORK = 1 << 37
"""The most multiplications for one crop: minutes. The full network has fewer than a billion."""
MOST_VALUES = 1 << 27
"""The most numbers of all values for one crop, 512 MiB: a later operator may use any, so all may be in memory."""
Shape = tuple[int, ...]


def check_network(data: bytes, size: int) -> None:
    """ValueError, with a few words, if an ONNX model is none that `fkp export` could have written.

    size: the side of the crops.
    """
    model = table(data, 0, len(data), MODEL)
    if _content(data, model, 8) != OPERATORS:
        raise ValueError("its operators are of another version")
    if 7 not in model:
        raise ValueError("it has no graph")
    graph = table(data, model[7][0].start, model[7][0].end, GRAPH)
    sides: tuple[tuple[int, str, list[bytes | int | None]], ...] = (
        (11, INPUT, [b"N", 1, size, size]),
        (12, OUTPUT, [b"N", None]),
    )
    for number, name, shape in sides:
        if _content(data, graph, number) != value_info(name, shape):
            raise ValueError("its input or output is of another shape")
    constants: dict[str, AnyArray] = {}
    for one in graph.get(5, []):
        name, array = constant_of(data, one)
        if name in constants or name in ("", INPUT):
            raise ValueError(f"it has the constant {shown(name)} twice")
        constants[name] = array
    values: dict[str, Shape] = {INPUT: (1, size, size)}
    work = total = 0
    for one in graph.get(1, []):
        node = node_of(data, one)
        if node.output in values or node.output in constants or not node.output:
            raise ValueError(f"it makes the value {shown(node.output)} twice")
        values[node.output], more = _output(node, values, constants)
        numbers = prod(values[node.output])
        work, total = work + more, total + numbers
        if numbers > MOST_NUMBERS or work > MOST_WORK or total > MOST_VALUES:
            raise ValueError(f"it is too large: {node.operator} makes {numbers} numbers")
    if values.get(OUTPUT) != (OUTPUTS,):
        raise ValueError(f"it gives outputs of shape {values.get(OUTPUT)}, not ({OUTPUTS},)")


def _content(data: bytes, found: dict[int, list[Field]], number: int) -> bytes:
    """The content of a field that occurs once; empty if it is missing."""
    return data[found[number][0].start : found[number][0].end] if number in found else b""


def _output(node: Node, values: dict[str, Shape], constants: dict[str, AnyArray]) -> tuple[Shape, int]:
    """The shape of a node's output for one crop, without the first axis, and the number of its multiplications."""
    if node.operator not in RULES:
        raise ValueError(f"the operator {shown(node.operator)} is none of its")
    rule, attributes, most = RULES[node.operator]
    if node.attributes.keys() != attributes:
        raise ValueError(f"{node.operator} has other attributes")
    if not node.inputs or node.inputs[0] not in values or len(node.inputs) > most + 1:
        raise ValueError(f"{node.operator} has no such input")
    if node.operator == "Add":
        others: list[AnyArray | Shape] = [values.get(name, ()) for name in node.inputs[1:]]
    else:
        names = node.inputs[1:]
        if node.operator == "Resize" and names[:1] == [""]:  # its only input that may be left out
            del names[0]
        if any(name not in constants for name in names):
            raise ValueError(f"{node.operator} has no such input")
        others = [constants[name] for name in names]
    result = rule(node, values[node.inputs[0]], others)
    if result is None or min(result[0], default=0) < 1:
        raise ValueError(f"the shapes of {node.operator} do not fit")
    return result


Rule = Callable[[Node, Shape, list], "tuple[Shape, int] | None"]
"""From a node, the shape of its first input and its constants to the shape of its output and its multiplications; None
if they do not fit. ValueError if an attribute is out of range."""


def _is(array: AnyArray, *shape: int) -> bool:
    return array.dtype == np.float32 and array.shape == shape


def _windows(node: Node, x: Shape, kernel: Sequence[int]) -> Shape:
    """The height and width after windows have moved over a picture (C, H, W)."""
    strides, pads = node.sides("strides", 2, 1), node.sides("pads", 4, 0)
    dilations = node.sides("dilations", 2, 1) if "dilations" in node.attributes else [1, 1]
    reach = [dilation * (side - 1) + 1 for dilation, side in zip(dilations, kernel, strict=True)]
    return tuple((x[i + 1] + pads[i] + pads[i + 2] - reach[i]) // strides[i] + 1 for i in (0, 1))


def _conv(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    kernel = node.sides("kernel_shape", 2, 1)
    if len(x) != 3 or not others or others[0].ndim != 4 or not _is(others[0], len(others[0]), x[0], *kernel):
        return None
    if any(not _is(bias, len(others[0])) for bias in others[1:]):
        return None
    shape = (len(others[0]), *_windows(node, x, kernel))
    return shape, prod(shape) * x[0] * prod(kernel)


def _pool(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    kernel, pads = node.sides("kernel_shape", 2, 1), node.sides("pads", 4, 0)
    if len(x) != 3 or any(2 * pad > kernel[i % 2] for i, pad in enumerate(pads)):
        return None
    shape = (x[0], *_windows(node, x, kernel))
    return shape, prod(shape) * prod(kernel)


def _batch_norm(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    epsilon = node.attributes["epsilon"]
    if len(others) != 4 or not all(_is(other, x[0]) for other in others) or others[3].min() < 0:
        return None
    return (x, prod(x)) if isinstance(epsilon, float) and 0 < epsilon < 1 else None


def _relu(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    return x, prod(x)


def _pad(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    if len(x) != 3 or len(others) != 1 or others[0].dtype != np.int64 or others[0].shape != (8,):
        return None
    _, _, high, wide = pads = others[0].tolist()[:4]
    if others[0].tolist() != [0, 0, *pads[2:]] * 2 or not all(0 <= pad <= MOST_SIDE for pad in pads):
        return None
    shape = (x[0], x[1] + 2 * high, x[2] + 2 * wide)
    return shape, prod(shape)


def _flatten(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    return ((prod(x),), 0) if node.attributes["axis"] == 1 else None


def _gemm(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    if node.attributes["transB"] != 1 or len(x) != 1 or not others or not _is(others[0], len(others[0]), x[0]):
        return None
    if any(not _is(bias, len(others[0])) for bias in others[1:]):
        return None
    return (len(others[0]),), others[0].size


def _resize(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    left_out = len(node.inputs) == 3 and len(others) == 1
    if node.attributes != modes or not left_out or len(x) != 3 or not _is(others[0], 4):
        return None
    factor = int(others[0][2]) if 1 <= others[0][2] <= MOST_SIDE else 0
    if others[0].tolist() != [1, 1, factor, factor]:
        return None
    shape = (x[0], x[1] * factor, x[2] * factor)
    return shape, prod(shape)


def _reshape(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    rows = (x[0], prod(x[1:]))
    return (rows, 0) if others and others[0].dtype == np.int64 and others[0].tolist() == [-1, *rows] else None


def _softmax(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    return (x, prod(x)) if node.attributes["axis"] == 2 and len(x) == 2 else None


def _matmul(node: Node, x: Shape, others: list[AnyArray]) -> tuple[Shape, int] | None:
    if len(x) != 2 or len(others) != 1 or others[0].ndim != 2 or not _is(others[0], x[1], others[0].shape[1]):
        return None
    shape = (x[0], others[0].shape[1])
    return shape, prod(shape) * x[1]


def _add(node: Node, x: Shape, others: list[Shape]) -> tuple[Shape, int] | None:
    return (x, prod(x)) if others == [x] else None


_WINDOWS = {"kernel_shape", "strides", "pads"}
RULES: dict[str, tuple[Rule, set[str], int]] = {
    "Conv": (_conv, _WINDOWS | {"dilations"}, 2),
    "MaxPool": (_pool, _WINDOWS | {"dilations"}, 0),
    "AveragePool": (_pool, _WINDOWS, 0),
    "BatchNormalization": (_batch_norm, {"epsilon"}, 4),
    "Relu": (_relu, set(), 0),
    "Pad": (_pad, set(), 1),
    "Flatten": (_flatten, {"axis"}, 0),
    "Gemm": (_gemm, {"transB"}, 2),
    "Resize": (_resize, {"mode", "coordinate_transformation_mode", "nearest_mode"}, 2),
    "Reshape": (_reshape, set(), 1),
    "Softmax": (_softmax, {"axis"}, 0),
    "MatMul": (_matmul, set(), 1),
    "Add": (_add, set(), 1),
}
"""For each operator its rule, the names of its attributes, and how many inputs it has at most beside the first."""
