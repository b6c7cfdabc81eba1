"""Loops over the channels of pixels, made from a rule: a function that says what to do with one number.

The rule is written for `lanes.Lanes`: it takes vectors, and returns a tuple of them. With NUMBA_DISABLE_JIT=1 the loops
are those of uncompiled.py.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numpynet.kernels import uncompiled
from numpynet.kernels.code_cache import DISABLED, njit_inner
from numpynet.kernels.lanes import (
    VECTOR_BYTES,
    Lanes,
    gather,
    load,
    mask_of,
    place,
    pointer_to,
    scatter,
    store,
    vector_type,
)

Rule = Callable[..., Sequence[Any]]


def grid_loop(rule: Rule, size: int, accumulate: bool = False, apart: str = "") -> Any:
    """A function for compiled loops: `rule` along both axes of a grid of pixels, for all channels.

    rule(v_0, .., v_{size - 1}) is applied to each column of the grid, and then to each row of what that gave.

    loop(source, at, row, column, target, to, down, right, C, step): channel c of element (i, j) is number
    at + i row + j column + c of the source; likewise for the target. `accumulate`: add to the target. apart: "source"
    or "target" if its channels lie `step` numbers apart; otherwise step is 1.
    """
    whole, rest = _grid(rule, size, False, accumulate, apart), _grid(rule, size, True, accumulate, apart)
    in_source, in_target = apart == "source", apart == "target"

    def loop(source, at, row, column, target, to, down, right, C, step):  # type: ignore[no-untyped-def]
        lanes = VECTOR_BYTES // source.itemsize
        for c in range(0, C - lanes + 1, lanes):
            read, write = c * step if in_source else c, c * step if in_target else c
            whole(source, at + read, row, column, target, to + write, down, right, lanes, step)
        if C % lanes:
            c = C - C % lanes
            read, write = c * step if in_source else c, c * step if in_target else c
            rest(source, at + read, row, column, target, to + write, down, right, C - c, step)

    return njit_inner(loop, _name(rule))


def pixel_loop(rule: Rule, largest: bool = False) -> Any:
    """A function for compiled loops: `rule` at each of a row of pixels, for all channels.

    rule(*read, *parameters) returns what to write, and then what to add to the sums, in float64. `largest`: the sums
    are no sums, but the largest so far, of the rule's dtype; a NaN beats all.

    loop(pixels, F, reads, writes, parameters, sums): reads and writes are tuples (array, at, step, array, at, step,
    ...): channel f of pixel i is number at + i step + f of the array. parameters and sums are tuples of arrays (F,).
    """
    whole, rest = _pixels(rule, False, largest), _pixels(rule, True, largest)

    def loop(pixels, F, reads, writes, parameters, sums):  # type: ignore[no-untyped-def]
        lanes = VECTOR_BYTES // reads[0].itemsize
        for f in range(0, F - lanes + 1, lanes):
            whole(pixels, f, lanes, reads, writes, parameters, sums)
        if F % lanes:
            rest(pixels, F - F % lanes, F % lanes, reads, writes, parameters, sums)

    return njit_inner(loop, _name(rule))


def _name(rule: Rule) -> str:
    return f"{rule.__module__}.{rule.__qualname__}"


def _grid(rule: Rule, size: int, masked: bool, accumulate: bool, apart: str) -> Any:
    """`grid_loop` for one vector: apply(source, .., target, .., count, step). If `masked`, the first `count` lanes are
    used, otherwise all are.
    """
    if DISABLED:
        return uncompiled.grid(rule, size, accumulate, apart)
    i64 = types.int64

    @intrinsic
    def apply(  # type: ignore[no-untyped-def]
        _,
        source,
        source_offset,
        source_row,
        source_column,
        target,
        target_offset,
        target_row,
        target_column,
        count,
        step,
    ):
        signature = types.void(source, i64, i64, i64, target, i64, i64, i64, i64, i64)

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, at, row, column, target, to, target_row, target_column, count, step = arguments
            vector = vector_type(signature.args[0])
            mask, used = (mask_of(builder, count, vector), count) if masked else (None, None)
            begin = pointer_to(context, builder, signature.args[0], source, at)

            def vector_at(pointer: Any, steps: bool) -> Lanes:
                if steps:
                    return Lanes(builder, gather(builder, pointer, step, vector, used))
                return Lanes(builder, load(builder, pointer, vector, mask))

            def element(i: int, j: int) -> Lanes:
                return vector_at(place(builder, begin, (row, i), (column, j)), apart == "source")

            grid = [[element(i, j) for j in range(size)] for i in range(size)]
            begin = pointer_to(context, builder, signature.args[4], target, to)
            for i, line in enumerate(both_axes(rule, grid)):
                for j, lanes in enumerate(line):
                    pointer = place(builder, begin, (target_row, i), (target_column, j))
                    if accumulate:
                        lanes = lanes + vector_at(pointer, apart == "target")
                    if apart == "target":
                        scatter(builder, lanes.value, pointer, step, used)
                    else:
                        store(builder, lanes.value, pointer, mask)
            return context.get_dummy_value()

        return signature, code

    return apply


def both_axes(rule: Rule, grid: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """`rule` applied to the columns of a square grid, and then to the rows of the result."""
    columns = [rule(*column) for column in zip(*grid, strict=True)]
    return [rule(*row) for row in zip(*columns, strict=True)]


def _pixels(rule: Rule, masked: bool, largest: bool) -> Any:
    """`pixel_loop` for one vector: apply(pixels, f, count, reads, writes, parameters, sums). f is its first channel. If
    `masked`, the first `count` lanes are used, otherwise all are.
    """
    if DISABLED:
        return uncompiled.pixels(rule, largest)
    i64 = types.int64

    @intrinsic
    def apply(_, pixels, f, count, reads, writes, parameters, sums):  # type: ignore[no-untyped-def]
        signature = types.void(i64, i64, i64, reads, writes, parameters, sums)

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pixels, f, count, *tuples = arguments
            lanes = vector_type(signature.args[3].types[0]).count
            kinds = [list(kind.types) if kind.count else [] for kind in signature.args[3:]]
            values = [
                cgutils.unpack_tuple(builder, one) if kind else [] for one, kind in zip(tuples, kinds, strict=True)
            ]

            def streams(k: int) -> list[tuple[Any, Any, Any]]:
                """Of the reads or writes: the vector type, the address of the first pixel, and the step."""
                found = []
                steps = values[k][::3], values[k][1::3], values[k][2::3]
                for array, value, at, step in zip(kinds[k][::3], *steps, strict=True):
                    begin = pointer_to(context, builder, array, value, builder.add(at, f))
                    found.append((ir.VectorType(_element(array), lanes), begin, step))
                return found

            def columns(k: int) -> list[tuple[Any, Any]]:
                """Of the parameters or sums: the vector type and the address."""
                pairs = zip(kinds[k], values[k], strict=True)
                return [
                    (ir.VectorType(_element(array), lanes), pointer_to(context, builder, array, value, f))
                    for array, value in pairs
                ]

            masks: dict[Any, Any] = {}

            def mask() -> Any:
                if masked and not masks:
                    masks[0] = mask_of(builder, count, ir.VectorType(ir.FloatType(), lanes))
                return masks.get(0)

            mask()
            inputs, outputs = streams(0), streams(1)
            fixed = [Lanes(builder, load(builder, pointer, kind, mask())) for kind, pointer in columns(2)]
            totals = columns(3)
            held = [cgutils.alloca_once(builder, kind) for kind, _ in totals]  # LLVM keeps them in registers
            for place_, (kind, pointer) in zip(held, totals, strict=True):
                builder.store(load(builder, pointer, kind, mask()), place_)
            with cgutils.for_range(builder, pixels) as loop:

                def here(begin: Any, step: Any) -> Any:
                    return builder.gep(begin, [builder.mul(loop.index, step)])

                read = [Lanes(builder, load(builder, here(begin, step), kind, mask())) for kind, begin, step in inputs]
                results = rule(*read, *fixed)
                for result, (_kind, begin, step) in zip(results, outputs, strict=False):
                    store(builder, result.value, here(begin, step), mask())
                for result, place_ in zip(results[len(outputs) :], held, strict=True):
                    before = Lanes(builder, builder.load(place_))
                    total = result.more_or_nan(before).choose(result, before) if largest else before + result.wide()
                    builder.store(total.value, place_)
            for place_, (_kind, pointer) in zip(held, totals, strict=True):
                store(builder, builder.load(place_), pointer, mask())
            return context.get_dummy_value()

        return signature, code

    return apply


def _element(array: Any) -> Any:
    return {types.float32: ir.FloatType(), types.float64: ir.DoubleType(), types.uint8: ir.IntType(8)}[array.dtype]
