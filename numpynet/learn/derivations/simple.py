"""Linear, ReLU, dropout, flatten, upsampling and residual, the long way."""

import numpy as np

from numpynet.learn.derivations.staged import Staged
from numpynet.typing import AnyArray, Array


def linear(x: Array, weight: Array, bias: Array, dout: Array) -> Staged:
    """out = x weight^T + bias, with every single product as an intermediate.

    Shapes: x (N, I); weight (O, I); bias (O,); dout (N, O).
    """
    # forward
    terms = x[:, None, :] * weight[None, :, :]  # (N, 1, I) * (1, O, I) -> (N, O, I)
    product = terms.sum(axis=2)  # (N, O, I) -> (N, O)
    out = product + bias  # (N, O) + (O,)
    # backward
    dbias = dout.sum(axis=0)  # each image used the bias
    dproduct = dout
    dterms = np.repeat(dproduct[:, :, None], x.shape[1], axis=2)  # (N, O) -> (N, O, I)
    dx = (dterms * weight[None, :, :]).sum(axis=1)  # each output used x[n, i]: summed over o
    dweight = (dterms * x[:, None, :]).sum(axis=0)  # each image used weight[o, i]: summed over n
    return {
        "x": (x, dx),
        "weight": (weight, dweight),
        "bias": (bias, dbias),
        "terms": (terms, dterms),
        "product": (product, dproduct),
        "out": (out, dout),
    }


def relu(x: Array, dout: Array) -> Staged:
    """out = max(x, 0), as the product of x and a mask of zeros and ones. Any shape."""
    # forward
    mask = (x > 0).astype(x.dtype)
    out = x * mask
    # backward: the mask is constant around x, unless x is 0
    dx = dout * mask
    return {"x": (x, dx), "mask": (mask, None), "out": (out, dout)}


def dropout(x: Array, mask: AnyArray, p: float, dout: Array) -> Staged:
    """out = x mask / (1 - p). Any shape; the mask is True for what is kept."""
    scale = 1 / (1 - p)
    # forward
    kept = x * mask
    out = kept * scale
    # backward
    dkept = dout * scale
    dx = dkept * mask
    return {"x": (x, dx), "mask": (mask, None), "kept": (kept, dkept), "out": (out, dout)}


def flatten(x: Array, dout: Array) -> Staged:
    """out (N, C H W), the numbers of x (N, C, H, W) in rows."""
    out = x.reshape(len(x), -1)  # forward
    dx = dout.reshape(x.shape)  # backward
    return {"x": (x, dx), "out": (out, dout)}


def upsample_nearest2d(x: Array, scale_factor: int, dout: Array) -> Staged:
    """Each pixel of x (N, C, H, W) s = scale_factor times downwards, then s times to the right."""
    s, (N, C, H, W) = scale_factor, x.shape
    # forward
    tall = x.repeat(s, axis=2)  # (N, C, H, W) -> (N, C, s H, W)
    out = tall.repeat(s, axis=3)  # -> (N, C, s H, s W)
    # backward: each copy sends its gradient back to the one number it was copied from
    dtall = dout.reshape(N, C, s * H, W, s).sum(axis=4)
    dx = dtall.reshape(N, C, H, s, W).sum(axis=3)
    return {"x": (x, dx), "tall": (tall, dtall), "out": (out, dout)}


def residual(x: Array, weight: Array, dout: Array) -> Staged:
    """out = x + relu(x weight^T): two paths from x to out.

    Shapes: x and dout (N, I); weight (I, I).
    """
    # forward
    hidden = x @ weight.T
    branch = np.maximum(hidden, 0)
    out = x + branch
    # backward: both paths get the whole dout, and their gradients are added
    dbranch = dout
    dhidden = dbranch * (hidden > 0)
    dweight = dhidden.T @ x
    dx = dout + dhidden @ weight
    return {
        "x": (x, dx),
        "weight": (weight, dweight),
        "hidden": (hidden, dhidden),
        "branch": (branch, dbranch),
        "out": (out, dout),
    }
