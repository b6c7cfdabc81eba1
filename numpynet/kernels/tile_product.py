"""A product of matrices that keeps its sums in the processor's registers.

BLAS copies both matrices into an order of its own first. For the products of a convolution, whose inner dimension is
16 to 256, this costs as much as the product. Here nothing is copied. A tile of 6 rows by 4 vectors of the result stays
in 24 registers while the inner dimension passes: each step reads 4 vectors and 6 numbers and does 24 multiplications.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numpynet.kernels import uncompiled
from numpynet.kernels.code_cache import DISABLED, njit
from numpynet.kernels.lanes import (
    VECTOR_BYTES,
    broadcast,
    constant,
    load,
    mask_of,
    place,
    pointer_to,
    store,
    suffix,
    vector_type,
)

WIDEST = 4 if VECTOR_BYTES == 64 else 2
"""Vectors per row of the largest tile: 6 times as many sums must fit into the registers, of which AVX-512 has 32."""


def _tiles(vectors: int, masked: bool = False) -> Any:
    """A function for compiled loops: c[m, f] = sum over ko and ki of a[m, ko, ki] b[ko, ki, f], or += if accumulate.

    m = 0 .. M - 1, in tiles of 6, 3 and 1 rows. f goes over `vectors` vectors; if `masked`, over `count` lanes of one.
    A matrix is (array, number of its first element, strides); the strides are counted in numbers.
    """
    if DISABLED:
        return uncompiled.tiles(vectors)
    i64 = types.int64

    @intrinsic
    def apply(  # type: ignore[no-untyped-def]
        _, a, a_at, a_m, a_ko, a_ki, b, b_at, b_ko, b_ki, c, c_at, c_m, M, KO, KI, accumulate, count
    ):
        signature = types.void(a, *[i64] * 4, b, *[i64] * 3, c, *[i64] * 5, types.boolean, i64)

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a, a_at, a_m, a_ko, a_ki, b, b_at, b_ko, b_ki, c, c_at, c_m, M, KO, KI, accumulate, count = arguments
            vector = vector_type(signature.args[0])
            mask = mask_of(builder, count, vector) if masked else None
            a, b, c = (
                pointer_to(context, builder, signature.args[k], array, at)
                for k, array, at in ((0, a, a_at), (5, b, b_at), (9, c, c_at))
            )
            done = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(64), 0))

            def more(rows: int) -> Any:
                return builder.icmp_signed(">=", builder.sub(M, builder.load(done)), ir.Constant(M.type, rows))

            def tile(rows: int) -> None:
                m = builder.load(done)
                row, out = (builder.gep(begin, [builder.mul(m, step)]) for begin, step in ((a, a_m), (c, c_m)))
                left, right = (row, a_m, a_ko, a_ki), (b, b_ko, b_ki)
                _tile(builder, (rows, vectors), left, right, (out, c_m), (KO, KI), accumulate, vector, mask)
                builder.store(builder.add(m, ir.Constant(m.type, rows)), done)

            with _while(builder, lambda: more(1)), builder.if_else(more(6)) as (six, fewer):
                with six:
                    tile(6)
                with fewer, builder.if_else(more(3)) as (three, one):
                    with three:
                        tile(3)
                    with one:
                        tile(1)
            return context.get_dummy_value()

        return signature, code

    return apply


@contextmanager
def _while(builder: Any, condition: Callable[[], Any]) -> Iterator[None]:
    """Code that is repeated as long as the condition holds."""
    begin, body, end = (builder.append_basic_block() for _ in range(3))
    builder.branch(begin)
    builder.position_at_end(begin)
    builder.cbranch(condition(), body, end)
    builder.position_at_end(body)
    yield
    builder.branch(begin)
    builder.position_at_end(end)


def _tile(
    builder: Any, shape: tuple[int, int], left: Any, right: Any, out: Any, inner: Any, accumulate: Any,
    vector: Any, mask: Any,
) -> None:  # fmt: skip
    """The code of one tile of `shape` (rows, vectors). The matrices are (pointer, strides), inner is (KO, KI)."""
    (a, a_m, a_ko, a_ki), (b, b_ko, b_ki), (c, c_m), (KO, KI) = left, right, out, inner
    kind = ir.FunctionType(vector, [vector] * 3)
    multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.{suffix(vector)}")
    lanes = ir.Constant(ir.IntType(64), vector.count)
    rows, vectors = range(shape[0]), range(shape[1])
    tile = [(m, v) for m in rows for v in vectors]
    targets = {(m, v): place(builder, c, (c_m, m), (lanes, v)) for m, v in tile}
    sums = {at: cgutils.alloca_once(builder, vector) for at in tile}  # LLVM keeps them in registers
    with builder.if_else(accumulate) as (then, otherwise):
        with then:
            for at in tile:
                builder.store(load(builder, targets[at], vector, mask), sums[at])
        with otherwise:
            for at in tile:
                builder.store(constant(vector, 0), sums[at])
    with cgutils.for_range(builder, KO) as ko, cgutils.for_range(builder, KI) as ki:
        column = builder.add(builder.mul(ko.index, a_ko), builder.mul(ki.index, a_ki))
        begin = builder.gep(b, [builder.add(builder.mul(ko.index, b_ko), builder.mul(ki.index, b_ki))])
        of_b = [load(builder, place(builder, begin, (lanes, v)), vector, mask) for v in vectors]
        for m in rows:
            number = builder.load(builder.gep(place(builder, a, (a_m, m)), [column]))
            of_a = broadcast(builder, number, vector)
            for v in vectors:
                builder.store(builder.call(multiply_add, [of_a, of_b[v], builder.load(sums[m, v])]), sums[m, v])
    for at in tile:
        store(builder, builder.load(sums[at]), targets[at], mask)


_widest, _two, _one, _part = _tiles(WIDEST), _tiles(2), _tiles(1), _tiles(1, masked=True)


@njit(nogil=True, cache=True)
def product(a, a_at, a_m, a_ko, a_ki, b, b_at, b_ko, b_ki, c, c_at, c_m, M, F, KO, KI, accumulate):  # type: ignore[no-untyped-def]
    """c[m, f] = sum over ko and ki of a[m, ko, ki] b[ko, ki, f], or += if `accumulate`; m < M, f < F, ko < KO, ki < KI.

    a, b and c are contiguous arrays of one dtype, taken as rows of numbers. Element (m, ko, ki) of a is number
    a_at + m a_m + ko a_ko + ki a_ki; likewise b, whose f are neighbours, and c, whose f are neighbours, too.
    """
    lanes = VECTOR_BYTES // a.itemsize
    f = 0
    while f < F:
        left, right, out = F - f, b_at + f, c_at + f
        if left >= WIDEST * lanes:
            _widest(a, a_at, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, M, KO, KI, accumulate, lanes)
            f += WIDEST * lanes
        elif left >= 2 * lanes:
            _two(a, a_at, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, M, KO, KI, accumulate, lanes)
            f += 2 * lanes
        elif left >= lanes:
            _one(a, a_at, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, M, KO, KI, accumulate, lanes)
            f += lanes
        else:
            _part(a, a_at, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, M, KO, KI, accumulate, left)
            f = F


@njit(nogil=True, cache=True)
def products(  # type: ignore[no-untyped-def]
    count, a, a_at, a_step, a_m, a_ko, a_ki, b, b_at, b_step, b_ko, b_ki, c, c_at, c_step, c_m, M, F, KO, KI, accumulate
):
    """`count` products; from each to the next, the first elements of a, b and c move by a_step, b_step and c_step.

    a, b and c are flat arrays: so all convolutions share this one compiled function.
    """
    for i in range(count):
        product(
            a, a_at + i * a_step, a_m, a_ko, a_ki, b, b_at + i * b_step, b_ko, b_ki, c, c_at + i * c_step, c_m,
            M, F, KO, KI, accumulate,
        )  # fmt: skip
