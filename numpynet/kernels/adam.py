"""Adam in one pass; the rule stands in numpynet/functional/adam.py.

The readable update goes through its arrays a dozen times. Here each number of param, grad, exp_avg and exp_avg_sq is
read once and each of the three that change is written once. A gradient that is kept as its factors is made a piece of
two rows at a time, which never leaves the first caches: one pass less over the memory, and no array of that size.

(`error_model="numpy"`: division by zero gives infinity. Numba's own check for it would keep the loop from being
vectorised.)
"""

import sys

import numpy as np

from numpynet import functional
from numpynet.factors import Factors
from numpynet.functional.adam import check_rule
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.kernels.rows import add_four_to_two
from numpynet.typing import Array
from numpynet.workers import run

ADAM_BLOCK = sys.maxsize
"""`numpynet.Adam` hands over whole parameters: there are no temporaries to keep small."""

BLOCK = 1 << 20
"""How many numbers a thread moves at a time."""

ROWS, TILE = 32, 4096
"""Of a factored gradient: rows that a thread moves at a time, an even number, and columns made together."""


def adam_update(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool = False,
) -> None:
    """See `numpynet.functional.adam_update`."""
    arrays = (param, grad, exp_avg, exp_avg_sq)
    if not _made_for((param, exp_avg, exp_avg_sq), grad) or grad.shape != param.shape:
        functional.adam_update(*arrays, step, lr, betas, eps, weight_decay, decoupled)
        return
    p, g, m, v = (a.reshape(-1) for a in arrays)
    constants = _constants(param, step, lr, betas, eps, weight_decay, decoupled)

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        move(p[part], g[part], m[part], v[part], *constants)

    run(block, -(-p.size // BLOCK))


def adam_update_factored(
    param: Array,
    factors: Factors,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool = False,
) -> None:
    """See `numpynet.functional.adam_update_factored`."""
    arrays = (param, exp_avg, exp_avg_sq)
    left, right = factors.left.shape, factors.right.shape
    fit = len(left) == len(right) == 2 and left[0] == right[0] and param.shape == (left[1], right[1])
    if not fit or not _made_for(arrays, *factors):
        moments = (exp_avg, exp_avg_sq)
        functional.adam_update_factored(param, factors, *moments, step, lr, betas, eps, weight_decay, decoupled)
        return
    columns = np.ascontiguousarray(factors.left.T)  # (N, O) -> (O, N)
    constants = _constants(param, step, lr, betas, eps, weight_decay, decoupled)

    def block(i: int) -> None:
        part = slice(i * ROWS, (i + 1) * ROWS)
        p, m, v = (a[part] for a in arrays)
        move_rows(columns[part], factors.right, p, m, v, TILE, *constants)

    run(block, -(-len(param) // ROWS))


def _made_for(moved: tuple[Array, Array, Array], *read: Array) -> bool:
    """Whether the loops can move the parameter and its two moments in place."""
    return (
        compiled(*moved, *read)
        and moved[0].shape == moved[1].shape == moved[2].shape
        and all(a.flags.c_contiguous and a.flags.writeable for a in moved)
        and all(a.flags.c_contiguous for a in read)
    )


def _constants(
    param: Array, step: int, lr: float, betas: tuple[float, float], eps: float, weight_decay: float, decoupled: bool
) -> list[np.floating]:
    """What `move` multiplies with, in the parameter's dtype. Of the two kinds of decay one is always none at all."""
    check_rule("adam_update", lr, betas, eps, weight_decay, step)
    beta1, beta2 = betas
    decay, shrink = (0.0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1.0)
    mends = (1 / (1 - beta1**step), 1 / (1 - beta2**step))
    factors = (beta1, 1 - beta1, beta2, 1 - beta2, *mends, lr, eps, decay, shrink)
    return [param.dtype.type(factor) for factor in factors]


@njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")
def move(p, g, m, v, keep1, add1, keep2, add2, mend1, mend2, lr, eps, decay, shrink):  # type: ignore[no-untyped-def]
    """One block of numbers, in place."""
    for k in range(p.size):
        slope = g[k] + decay * p[k]
        mean = keep1 * m[k] + add1 * slope
        square = keep2 * v[k] + add2 * (slope * slope)
        m[k], v[k] = mean, square
        p[k] = shrink * p[k] - lr * (mean * mend1) / (np.sqrt(square * mend2) + eps)


@njit(nogil=True, cache=True)
def move_rows(  # type: ignore[no-untyped-def]
    left, right, p, m, v, tile, keep1, add1, keep2, add2, mend1, mend2, lr, eps, decay, shrink
):
    """The rows of p, m and v, in place, for the gradient left right: left (rows, N), right (N, I)."""
    rows, size = p.shape
    N = len(right)
    whole = N // 4 * 4
    memory = np.empty((2, tile), p.dtype)
    for begin in range(0, size, tile):
        end = min(size, begin + tile)
        grad, other = memory[0, : end - begin], memory[1, : end - begin]
        for o in range(0, rows, 2):
            q = min(o + 1, rows - 1)
            grad[:] = 0
            other[:] = 0
            for n in range(0, whole, 4):
                add_four_to_two(grad, other, left[o], left[q], right, n, begin, end)
            for n in range(whole, N):
                row, a, b = right[n, begin:end], left[o, n], left[q, n]
                for k in range(grad.size):
                    grad[k] += a * row[k]
                    other[k] += b * row[k]
            move(p[o, begin:end], grad, m[o, begin:end], v[o, begin:end],
                 keep1, add1, keep2, add2, mend1, mend2, lr, eps, decay, shrink)  # fmt: skip
            if q > o:
                move(p[q, begin:end], other, m[q, begin:end], v[q, begin:end],
                     keep1, add1, keep2, add2, mend1, mend2, lr, eps, decay, shrink)  # fmt: skip
