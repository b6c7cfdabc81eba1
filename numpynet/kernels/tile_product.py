"""A product of matrices that keeps its sums in the processor's registers.

BLAS copies both matrices into an order of its own first. For the products of a convolution, whose inner dimension is
16 to 256, this costs as much as the product. Here nothing is copied. A tile of 6 rows by 4 vectors of the result stays
in 24 registers while the inner dimension passes: each step reads 4 vectors and 6 numbers and does 24 multiplications.
"""

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


def _tile(rows: int, vectors: int, masked: bool = False) -> Any:
    """A function for compiled loops: c[m, f] = sum over ko and ki of a[m, ko, ki] b[ko, ki, f], or += if accumulate.

    m = 0 .. rows - 1, and f goes over `vectors` vectors; if `masked`, over the first `count` lanes of one. A matrix
    is (array, number of its first element, strides); the strides are counted in numbers.
    """
    if DISABLED:
        return uncompiled.tile(rows, vectors)
    i64 = types.int64

    @intrinsic
    def apply(  # type: ignore[no-untyped-def]
        _, a, a_at, a_m, a_ko, a_ki, b, b_at, b_ko, b_ki, c, c_at, c_m, KO, KI, accumulate, count
    ):
        signature = types.void(a, *[i64] * 4, b, *[i64] * 3, c, *[i64] * 4, types.boolean, i64)

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a, a_at, a_m, a_ko, a_ki, b, b_at, b_ko, b_ki, c, c_at, c_m, KO, KI, accumulate, count = arguments
            vector = vector_type(signature.args[0])
            mask = mask_of(builder, count, vector) if masked else None
            kind = ir.FunctionType(vector, [vector] * 3)
            multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.{suffix(vector)}")
            a, b, c = (
                pointer_to(context, builder, signature.args[k], array, at)
                for k, array, at in ((0, a, a_at), (5, b, b_at), (9, c, c_at))
            )
            lanes = ir.Constant(ir.IntType(64), vector.count)
            tile = [(m, v) for m in range(rows) for v in range(vectors)]
            targets = {(m, v): place(builder, c, (c_m, m), (lanes, v)) for m, v in tile}
            sums = {at: cgutils.alloca_once(builder, vector) for at in tile}  # LLVM keeps them in registers
            with builder.if_else(accumulate) as (then, otherwise):
                with then:
                    for at in tile:
                        builder.store(load(builder, targets[at], vector, mask), sums[at])
                with otherwise:
                    for at in tile:
                        builder.store(constant(vector, 0), sums[at])
            with cgutils.for_range(builder, KO) as outer, cgutils.for_range(builder, KI) as inner:
                column = builder.add(builder.mul(outer.index, a_ko), builder.mul(inner.index, a_ki))
                row = builder.add(builder.mul(outer.index, b_ko), builder.mul(inner.index, b_ki))
                begin = builder.gep(b, [row])
                right = [load(builder, place(builder, begin, (lanes, v)), vector, mask) for v in range(vectors)]
                for m in range(rows):
                    number = builder.load(builder.gep(place(builder, a, (a_m, m)), [column]))
                    left = broadcast(builder, number, vector)
                    for v in range(vectors):
                        before = builder.load(sums[m, v])
                        builder.store(builder.call(multiply_add, [left, right[v], before]), sums[m, v])
            for at in tile:
                store(builder, builder.load(sums[at]), targets[at], mask)
            return context.get_dummy_value()

        return signature, code

    return apply


_6x4, _6x2, _6x1, _6xpart = _tile(6, WIDEST), _tile(6, 2), _tile(6, 1), _tile(6, 1, masked=True)
_3x4, _3x2, _3x1, _3xpart = _tile(3, WIDEST), _tile(3, 2), _tile(3, 1), _tile(3, 1, masked=True)
_1x4, _1x2, _1x1, _1xpart = _tile(1, WIDEST), _tile(1, 2), _tile(1, 1), _tile(1, 1, masked=True)


@njit(nogil=True, cache=True)
def product(a, a_at, a_m, a_ko, a_ki, b, b_at, b_ko, b_ki, c, c_at, c_m, M, F, KO, KI, accumulate):  # type: ignore[no-untyped-def]
    """c[m, f] = sum over ko and ki of a[m, ko, ki] b[ko, ki, f], or += if `accumulate`; m < M, f < F, ko < KO, ki < KI.

    a, b and c are contiguous arrays of one dtype, taken as rows of numbers. Element (m, ko, ki) of a is number
    a_at + m a_m + ko a_ko + ki a_ki; likewise b, whose f are neighbours, and c, whose f are neighbours, too.
    """
    lanes = VECTOR_BYTES // a.itemsize
    f = 0
    while f < F:
        left = F - f
        vectors = WIDEST if left >= WIDEST * lanes else 2 if left >= 2 * lanes else 1
        right = b_at + f
        m = 0
        while m < M:
            rows = 6 if M - m >= 6 else 3 if M - m >= 3 else 1
            row, out = a_at + m * a_m, c_at + m * c_m + f
            if left < lanes:
                if rows == 6:
                    _6xpart(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, left)
                elif rows == 3:
                    _3xpart(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, left)
                else:
                    _1xpart(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, left)
            elif vectors == 1:
                if rows == 6:
                    _6x1(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, lanes)
                elif rows == 3:
                    _3x1(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, lanes)
                else:
                    _1x1(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, lanes)
            elif vectors == WIDEST:
                if rows == 6:
                    _6x4(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, lanes)
                elif rows == 3:
                    _3x4(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, lanes)
                else:
                    _1x4(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, lanes)
            elif rows == 6:
                _6x2(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, lanes)
            elif rows == 3:
                _3x2(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, lanes)
            else:
                _1x2(a, row, a_m, a_ko, a_ki, b, right, b_ko, b_ki, c, out, c_m, KO, KI, accumulate, lanes)
            m += rows
        f += min(vectors * lanes, left)


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
