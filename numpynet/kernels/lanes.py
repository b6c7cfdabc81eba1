"""Arithmetic on the lanes of a vector register, as code that Numba compiles.

Numba turns a loop into vector instructions if it can prove that this is safe. For two kinds of loop it cannot: a
product of matrices that keeps its sums in registers, and a transform that holds 36 vectors at once. So these are
written for vectors: a `Lanes` stands for a vector while the code is made, and + - * write an instruction each.
"""

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_features = llvmlite.binding.get_host_cpu_features()
VECTOR_BYTES = 64 if _features.get("avx512f") else 32 if _features.get("avx2") else 16
"""Bytes per vector register of this processor."""

_INT = ir.IntType(64)
_INT32 = ir.IntType(32)


class Lanes:
    """A vector of numbers. `builder` writes the instructions."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: "Lanes | float") -> "Lanes":
        return self._compute("fadd", other)

    def __sub__(self, other: "Lanes | float") -> "Lanes":
        return self._compute("fsub", other)

    def __mul__(self, other: "Lanes | float") -> "Lanes":
        return self._compute("fmul", other)

    __rmul__ = __mul__

    def _compute(self, operation: str, other: "Lanes | float") -> "Lanes":
        """`contract` lets a product and a sum become one instruction that rounds once."""
        if not isinstance(other, Lanes):
            other = Lanes(self.builder, constant(self.value.type, other))
        return Lanes(self.builder, getattr(self.builder, operation)(self.value, other.value, flags=("contract",)))


def vector_type(array: Any) -> Any:
    """The vector of an array type's numbers that fills a register."""
    element, size = (ir.FloatType(), 4) if array.dtype == types.float32 else (ir.DoubleType(), 8)
    return ir.VectorType(element, VECTOR_BYTES // size)


def constant(vector: Any, number: float) -> Any:
    """The number in every lane."""
    return ir.Constant(vector, [ir.Constant(vector.element, float(number))] * vector.count)


def broadcast(builder: Any, number: Any, vector: Any) -> Any:
    """A number that is known when the code runs, in every lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, number, _INT32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT32, vector.count), None))


def mask_of(builder: Any, count: Any, vector: Any) -> Any:
    """Which lanes are among the first `count`."""
    numbers = ir.VectorType(_INT, vector.count)
    every = broadcast(builder, count, numbers)
    return builder.icmp_signed("<", ir.Constant(numbers, [_INT(lane) for lane in range(vector.count)]), every)


def load(builder: Any, pointer: Any, vector: Any, mask: Any = None) -> Any:
    """The vector that begins at the pointer; lanes outside of the mask are 0, and their memory is not read."""
    pointer, align = builder.bitcast(pointer, vector.as_pointer()), _alignment(vector)
    if mask is None:
        value = builder.load(pointer)
        value.align = align
        return value
    kind = ir.FunctionType(vector, [pointer.type, _INT32, mask.type, vector])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.{suffix(vector)}.p0")
    return builder.call(function, [pointer, _INT32(align), mask, constant(vector, 0)])


def store(builder: Any, value: Any, pointer: Any, mask: Any = None) -> None:
    """Write the vector to the memory that begins at the pointer; lanes outside of the mask are not written."""
    vector = value.type
    pointer, align = builder.bitcast(pointer, vector.as_pointer()), _alignment(vector)
    if mask is None:
        builder.store(value, pointer).align = align
        return
    kind = ir.FunctionType(ir.VoidType(), [vector, pointer.type, _INT32, mask.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.{suffix(vector)}.p0")
    builder.call(function, [value, pointer, _INT32(align), mask])


def suffix(vector: Any) -> str:
    """The vector's type in the name of one of LLVM's functions."""
    return f"v{vector.count}{'f32' if isinstance(vector.element, ir.FloatType) else 'f64'}"


def pointer_to(context: Any, builder: Any, array: Any, value: Any, offset: Any) -> Any:
    """The address of number `offset` of an array's memory."""
    return builder.gep(context.make_array(array)(context, builder, value).data, [offset])


def place(builder: Any, pointer: Any, *steps: tuple[Any, int]) -> Any:
    """The address `times * stride` numbers further on, for each (stride, times)."""
    for stride, times in steps:
        pointer = builder.gep(pointer, [builder.mul(stride, _INT(times))])
    return pointer


def _alignment(vector: Any) -> int:
    return 4 if isinstance(vector.element, ir.FloatType) else 8


Rule = Callable[..., Sequence[Any]]


def grid_transform(rule: Rule, size: int, masked: bool = False, accumulate: bool = False) -> Any:
    """A function for compiled loops: `rule` along both axes of a grid of vectors.

    rule(v_0, .., v_{size - 1}) returns the transformed numbers. It is applied to each column of the grid, and then to
    each row of what that gave.

    apply(source, offset, row, column, target, offset, row, column, count): element (i, j) of a grid begins at number
    offset + i row + j column of its array. `count` is how many lanes are used, if `masked`; otherwise all are.
    `accumulate`: add to the target.
    """
    i64 = types.int64

    @intrinsic
    def apply(  # type: ignore[no-untyped-def]
        _, source, source_offset, source_row, source_column, target, target_offset, target_row, target_column, count
    ):
        signature = types.void(source, i64, i64, i64, target, i64, i64, i64, i64)

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, at, row, column, target, to, target_row, target_column, count = arguments
            vector = vector_type(signature.args[0])
            mask = mask_of(builder, count, vector) if masked else None
            begin = pointer_to(context, builder, signature.args[0], source, at)
            grid = [
                [
                    Lanes(builder, load(builder, place(builder, begin, (row, i), (column, j)), vector, mask))
                    for j in range(size)
                ]
                for i in range(size)
            ]
            begin = pointer_to(context, builder, signature.args[4], target, to)
            for i, line in enumerate(both_axes(rule, grid)):
                for j, lanes in enumerate(line):
                    pointer = place(builder, begin, (target_row, i), (target_column, j))
                    if accumulate:
                        lanes = lanes + Lanes(builder, load(builder, pointer, vector, mask))
                    store(builder, lanes.value, pointer, mask)
            return context.get_dummy_value()

        return signature, code

    return apply


def both_axes(rule: Rule, grid: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """`rule` applied to the columns of a square grid, and then to the rows of the result."""
    columns = [rule(*column) for column in zip(*grid, strict=True)]
    return [rule(*row) for row in zip(*columns, strict=True)]
