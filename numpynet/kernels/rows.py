"""Weighted sums of rows, several at a time, so that each number that is read serves several products.

Four rows at a time, as far as they go: with more, the compiler no longer keeps what it needs in registers.
"""

from numpynet.kernels.code_cache import njit


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def add_four_to_two(target, other, factors, others, rows, o, left, right):  # type: ignore[no-untyped-def]
    """target += sum_j factors[o + j] rows[o + j, left:right], and `other` alike with `others`; j = 0 .. 3."""
    a0, a1, a2, a3 = factors[o], factors[o + 1], factors[o + 2], factors[o + 3]
    b0, b1, b2, b3 = others[o], others[o + 1], others[o + 2], others[o + 3]
    r0, r1, r2, r3 = rows[o, left:right], rows[o + 1, left:right], rows[o + 2, left:right], rows[o + 3, left:right]
    for k in range(target.size):
        u0, u1, u2, u3 = r0[k], r1[k], r2[k], r3[k]
        target[k] += a0 * u0 + a1 * u1 + a2 * u2 + a3 * u3
        other[k] += b0 * u0 + b1 * u1 + b2 * u2 + b3 * u3


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def add_four_to_one(target, factors, rows, o, left, right):  # type: ignore[no-untyped-def]
    """target += sum_j factors[o + j] rows[o + j, left:right]; j = 0 .. 3."""
    a0, a1, a2, a3 = factors[o], factors[o + 1], factors[o + 2], factors[o + 3]
    r0, r1, r2, r3 = rows[o, left:right], rows[o + 1, left:right], rows[o + 2, left:right], rows[o + 3, left:right]
    for k in range(target.size):
        target[k] += a0 * r0[k] + a1 * r1[k] + a2 * r2[k] + a3 * r3[k]
