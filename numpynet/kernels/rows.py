"""Weighted sums over the rows of a matrix.

They take four rows at a time: with more, the compiler runs out of registers and no longer vectorises.
"""

from numpynet.kernels.code_cache import njit


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def add_four_to_two(out_a, out_b, factors_a, factors_b, rows, i, left, right):  # type: ignore[no-untyped-def]
    """out_a += sum_j factors_a[j] rows[j, left:right], and out_b likewise with factors_b; j = i .. i + 3."""
    a0, a1, a2, a3 = factors_a[i], factors_a[i + 1], factors_a[i + 2], factors_a[i + 3]
    b0, b1, b2, b3 = factors_b[i], factors_b[i + 1], factors_b[i + 2], factors_b[i + 3]
    r0, r1, r2, r3 = rows[i, left:right], rows[i + 1, left:right], rows[i + 2, left:right], rows[i + 3, left:right]
    for k in range(out_a.size):
        u0, u1, u2, u3 = r0[k], r1[k], r2[k], r3[k]
        out_a[k] += a0 * u0 + a1 * u1 + a2 * u2 + a3 * u3
        out_b[k] += b0 * u0 + b1 * u1 + b2 * u2 + b3 * u3


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def add_four_to_one(out, factors, rows, i, left, right):  # type: ignore[no-untyped-def]
    """out += sum_j factors[j] rows[j, left:right]; j = i .. i + 3."""
    a0, a1, a2, a3 = factors[i], factors[i + 1], factors[i + 2], factors[i + 3]
    r0, r1, r2, r3 = rows[i, left:right], rows[i + 1, left:right], rows[i + 2, left:right], rows[i + 3, left:right]
    for k in range(out.size):
        out[k] += a0 * r0[k] + a1 * r1[k] + a2 * r2[k] + a3 * r3[k]
