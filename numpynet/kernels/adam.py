"""Adam in one pass; the rule stands in numpynet/functional/adam.py.

The readable update makes a dozen passes over each block of its arrays. Here each number of param, grad, exp_avg and
exp_avg_sq is read once, and each number of the three that change is written once. A gradient that comes as `Factors` is
multiplied out two rows at a time, in tiles that never leave the first caches: one pass over the memory less, and no
array of the weight's size.

(`error_model="numpy"`: division by zero gives infinity. Numba's own check for it would keep the loop from being
vectorised.)
"""

import numpy as np

from numpynet import functional
from numpynet.functional.adam import check_rule
from numpynet.kernels.code_cache import njit
from numpynet.kernels.factors import Factors
from numpynet.kernels.made_for import compiled
from numpynet.kernels.rows import add_four_to_two
from numpynet.typing import Array
from numpynet.workers import run

BLOCK = 1 << 20
"""Numbers that a thread updates at a time."""

ROWS, TILE = 32, 4096
"""For Factors: rows that a thread updates at a time (an even number), and columns multiplied out together."""


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
    if not _made_for(param, grad, exp_avg, exp_avg_sq):
        functional.adam_update(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps, weight_decay, decoupled)
        return
    check_rule("adam_update", lr, betas, eps, weight_decay, step)
    rule = [param.dtype.type(number) for number in _numbers(step, lr, betas, eps, weight_decay, decoupled)]
    line = np.ascontiguousarray(param)  # a view if param is in C order, and a copy if it is not
    if isinstance(grad, Factors) and grad.array is None:
        _update_by_factors(line, grad, exp_avg, exp_avg_sq, rule)
    else:
        _update(line, np.ascontiguousarray(grad), exp_avg, exp_avg_sq, rule)
    if not param.flags.c_contiguous:
        param[...] = line


def _made_for(param: Array, grad: Array, exp_avg: Array, exp_avg_sq: Array) -> bool:
    """Whether the loops can do the update. If not, the readable function does it, or says what is wrong."""
    read = [grad.left, grad.right] if isinstance(grad, Factors) else [grad]  # what was written has their dtype
    moments = (exp_avg, exp_avg_sq)
    return bool(
        compiled(param, *moments, *read)
        and param.shape == grad.shape == exp_avg.shape == exp_avg_sq.shape
        and param.flags.writeable
        and all(a.flags.c_contiguous and a.flags.writeable for a in moments)
    )


def _numbers(
    step: int, lr: float, betas: tuple[float, float], eps: float, weight_decay: float, decoupled: bool
) -> tuple[float, ...]:
    """The numbers that `update` takes, from `beta1` on. At most one of the two decays does something."""
    beta1, beta2 = betas
    decay, keep = (0.0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1.0)
    corrections = (1 / (1 - beta1**step), 1 / (1 - beta2**step))
    return (beta1, 1 - beta1, beta2, 1 - beta2, *corrections, lr, eps, decay, keep)


def _update(param: Array, grad: Array, exp_avg: Array, exp_avg_sq: Array, rule: list[np.floating]) -> None:
    """The update by an array, on all threads."""
    p, g, m, v = (array.reshape(-1) for array in (param, grad, exp_avg, exp_avg_sq))

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        update(p[part], g[part], m[part], v[part], *rule)

    run(block, -(-p.size // BLOCK))


def _update_by_factors(param: Array, grad: Factors, exp_avg: Array, exp_avg_sq: Array, rule: list[np.floating]) -> None:
    """The update by the product of factors, on all threads."""
    left = np.ascontiguousarray(grad.left.T)  # (N, O) -> (O, N)
    right = np.ascontiguousarray(grad.right)

    def block(i: int) -> None:
        part = slice(i * ROWS, (i + 1) * ROWS)
        update_rows(left[part], right, param[part], exp_avg[part], exp_avg_sq[part], TILE, *rule)

    run(block, -(-len(param) // ROWS))


@njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")
def update(  # type: ignore[no-untyped-def]
    param, grad, exp_avg, exp_avg_sq,
    beta1, one_minus_beta1, beta2, one_minus_beta2, m_correction, v_correction, lr, eps, weight_decay, keep,
):  # fmt: skip
    """One block of numbers, in place. keep: the share of the weight that decoupled decay leaves."""
    for k in range(param.size):
        g = grad[k] + weight_decay * param[k]
        m = beta1 * exp_avg[k] + one_minus_beta1 * g
        v = beta2 * exp_avg_sq[k] + one_minus_beta2 * (g * g)
        exp_avg[k], exp_avg_sq[k] = m, v
        param[k] = keep * param[k] - lr * (m * m_correction) / (np.sqrt(v * v_correction) + eps)


@njit(nogil=True, cache=True)
def update_rows(  # type: ignore[no-untyped-def]
    left, right, param, exp_avg, exp_avg_sq, tile,
    beta1, one_minus_beta1, beta2, one_minus_beta2, m_correction, v_correction, lr, eps, weight_decay, keep,
):  # fmt: skip
    """Some rows, in place, by the gradient left right: left (rows, N), right (N, I).

    Two rows of the gradient share each number of `right` that is read; the last row may have to go alone.
    """
    rows, size = param.shape
    N = len(right)
    fours = N // 4 * 4
    memory = np.empty((2, tile), param.dtype)
    for begin in range(0, size, tile):
        end = min(size, begin + tile)
        grad, next_grad = memory[0, : end - begin], memory[1, : end - begin]
        for o in range(0, rows, 2):
            q = min(o + 1, rows - 1)
            grad[:] = 0
            next_grad[:] = 0
            for n in range(0, fours, 4):
                add_four_to_two(grad, next_grad, left[o], left[q], right, n, begin, end)
            for n in range(fours, N):
                row, a, b = right[n, begin:end], left[o, n], left[q, n]
                for k in range(grad.size):
                    grad[k] += a * row[k]
                    next_grad[k] += b * row[k]
            update(
                param[o, begin:end], grad, exp_avg[o, begin:end], exp_avg_sq[o, begin:end],
                beta1, one_minus_beta1, beta2, one_minus_beta2, m_correction, v_correction, lr, eps, weight_decay, keep,
            )  # fmt: skip
            if q > o:
                update(
                    param[q, begin:end], next_grad, exp_avg[q, begin:end], exp_avg_sq[q, begin:end],
                    beta1, one_minus_beta1, beta2, one_minus_beta2, m_correction, v_correction, lr, eps, weight_decay,
                    keep,
                )  # fmt: skip
