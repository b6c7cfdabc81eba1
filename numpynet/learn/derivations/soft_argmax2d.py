"""Soft argmax, the long way: softmax in five lines, then two mean positions."""

import numpy as np

from numpynet.functional.soft_argmax2d import places
from numpynet.learn.derivations.staged import Staged
from numpynet.typing import Array


def soft_argmax2d(x: Array, dout: Array) -> Staged:
    """The mean position in each map, each pixel weighted by its share.

    Shapes: x (N, K, H, W); dout and out (N, 2 K), x and y of each map in turn.
    """
    N, K, H, W = x.shape
    place_x, place_y = places(W, x.dtype.type), places(H, x.dtype.type)  # (W,), (H,)
    # forward
    largest = x.max(axis=(2, 3), keepdims=True)  # (N, K, 1, 1)
    shifted = x - largest
    exp = np.exp(shifted)
    total = exp.sum(axis=(2, 3), keepdims=True)
    share = exp / total
    columns = share.sum(axis=2)  # (N, K, W)
    rows = share.sum(axis=3)  # (N, K, H)
    position_x = columns @ place_x  # (N, K)
    position_y = rows @ place_y
    out = np.stack([position_x, position_y], axis=2).reshape(N, 2 * K)
    # backward
    dposition_x, dposition_y = dout[:, 0::2], dout[:, 1::2]
    dcolumns = dposition_x[:, :, None] * place_x
    drows = dposition_y[:, :, None] * place_y
    dshare = dcolumns[:, :, None, :] + drows[:, :, :, None]  # two paths: (N, K, 1, W) + (N, K, H, 1)
    dtotal = -(dshare * exp).sum(axis=(2, 3), keepdims=True) / total**2
    dexp = dshare / total + dtotal  # two paths
    dshifted = dexp * exp
    dlargest = -dshifted.sum(axis=(2, 3), keepdims=True)  # 0 but for rounding: shifting a map changes no share
    dx = dshifted + dlargest * (x == largest)  # two paths, if x has one largest number
    return {
        "x": (x, dx),
        "largest": (largest, dlargest),
        "shifted": (shifted, dshifted),
        "exp": (exp, dexp),
        "total": (total, dtotal),
        "share": (share, dshare),
        "columns": (columns, dcolumns),
        "rows": (rows, drows),
        "position_x": (position_x, dposition_x),
        "position_y": (position_y, dposition_y),
        "out": (out, dout),
    }
