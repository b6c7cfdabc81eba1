"""The losses, the long way. Any shape of x and target; the mean over all M elements."""

import numpy as np

from numpynet.learn.derivations.staged import Staged
from numpynet.typing import Array


def mse_loss(x: Array, target: Array) -> Staged:
    """loss = sum(d^2) / M with d = x - target."""
    # forward
    residual = x - target
    squares = residual**2
    total = squares.sum()
    loss = total / x.size
    # backward
    dloss = np.ones_like(loss)
    dtotal = dloss / x.size
    dsquares = np.full_like(squares, dtotal)
    dresidual = dsquares * 2 * residual
    dx = dresidual
    return {
        "x": (x, dx),
        "residual": (residual, dresidual),
        "squares": (squares, dsquares),
        "total": (total, dtotal),
        "loss": (loss, dloss),
    }


def smooth_l1_loss(x: Array, target: Array, beta: float) -> Staged:
    """loss = sum(l(d)) / M with l(d) = d^2 / (2 beta) if |d| < beta, else |d| - beta / 2."""
    # forward
    residual = x - target
    size = np.abs(residual)
    elements = np.where(size < beta, size**2 / (2 * beta), size - beta / 2)
    total = elements.sum()
    loss = total / x.size
    # backward
    dloss = np.ones_like(loss)
    dtotal = dloss / x.size
    delements = np.full_like(elements, dtotal)
    dsize = delements * np.where(size < beta, size / beta, 1)
    dresidual = dsize * np.sign(residual)
    dx = dresidual
    return {
        "x": (x, dx),
        "residual": (residual, dresidual),
        "size": (size, dsize),
        "elements": (elements, delements),
        "total": (total, dtotal),
        "loss": (loss, dloss),
    }
