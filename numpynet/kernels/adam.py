"""Adam in one pass; the rule stands in numpynet/functional/adam.py.

The readable update goes through its arrays a dozen times. Here each number of param, grad, exp_avg and exp_avg_sq is
read once and each of the three that change is written once. (`error_model="numpy"`: division by zero gives infinity.
Numba's own check for it would keep the loop from being vectorised.)
"""

import sys

import numpy as np
from numba import njit

from numpynet import functional
from numpynet.typing import Array
from numpynet.workers import run

ADAM_BLOCK = sys.maxsize
"""`numpynet.Adam` hands over whole parameters: there are no temporaries to keep small."""

BLOCK = 1 << 20
"""How many numbers a thread moves at a time."""


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
) -> None:
    """See `numpynet.functional.adam_update`."""
    arrays = (param, grad, exp_avg, exp_avg_sq)
    number = param.dtype.type
    if param.dtype not in (np.float32, np.float64) or not all(a.flags.c_contiguous for a in arrays):
        functional.adam_update(*arrays, step, lr, betas, eps, weight_decay)
        return
    beta1, beta2 = betas
    p, g, m, v = (a.reshape(-1) for a in arrays)
    factors = [beta1, 1 - beta1, beta2, 1 - beta2, 1 / (1 - beta1**step), 1 / (1 - beta2**step), lr, eps, weight_decay]
    constants = [number(factor) for factor in factors]

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        move(p[part], g[part], m[part], v[part], *constants)

    run(block, -(-p.size // BLOCK))


@njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")
def move(p, g, m, v, keep1, add1, keep2, add2, mend1, mend2, lr, eps, decay):  # type: ignore[no-untyped-def]
    """One block of numbers, in place."""
    for k in range(p.size):
        slope = g[k] + decay * p[k]
        mean = keep1 * m[k] + add1 * slope
        square = keep2 * v[k] + add2 * (slope * slope)
        m[k], v[k] = mean, square
        p[k] -= lr * (mean * mend1) / (np.sqrt(square * mend2) + eps)
