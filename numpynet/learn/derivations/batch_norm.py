"""Batch norm, the long way: each line of the forward pass does one thing, and has its gradient."""

import numpy as np

from numpynet.learn.derivations.staged import Staged
from numpynet.typing import Array


def batch_norm(x: Array, weight: Array, bias: Array, dout: Array, eps: float = 1e-5) -> Staged:
    """out = weight (x - mean) / sqrt(var + eps) + bias, with the statistics of the batch.

    Shapes: x and dout (M, C); weight and bias (C,). Images (N, C, H, W) become (N H W, C) first.
    """
    M = len(x)
    # forward
    mean = x.sum(axis=0) / M
    centred = x - mean
    squares = centred**2
    var = squares.sum(axis=0) / M
    var_eps = var + eps
    std = np.sqrt(var_eps)
    inv_std = 1 / std
    x_hat = centred * inv_std
    scaled = x_hat * weight
    out = scaled + bias
    # backward: the same lines, from the last to the first
    dbias = dout.sum(axis=0)
    dscaled = dout
    dweight = (dscaled * x_hat).sum(axis=0)
    dx_hat = dscaled * weight
    dinv_std = (dx_hat * centred).sum(axis=0)
    dstd = dinv_std * -1 / std**2
    dvar_eps = dstd / (2 * std)
    dvar = dvar_eps
    dsquares = np.ones_like(squares) * dvar / M
    dcentred = dx_hat * inv_std + dsquares * 2 * centred  # two paths
    dmean = -dcentred.sum(axis=0)
    dx = dcentred + dmean / M  # two paths
    return {
        "x": (x, dx),
        "mean": (mean, dmean),
        "centred": (centred, dcentred),
        "squares": (squares, dsquares),
        "var": (var, dvar),
        "var_eps": (var_eps, dvar_eps),
        "std": (std, dstd),
        "inv_std": (inv_std, dinv_std),
        "x_hat": (x_hat, dx_hat),
        "weight": (weight, dweight),
        "scaled": (scaled, dscaled),
        "bias": (bias, dbias),
        "out": (out, dout),
    }
