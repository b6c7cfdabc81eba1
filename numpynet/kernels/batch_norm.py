"""Batch norm, a channel a thread; the mathematics stands in numpynet/functional/batch_norm.py.

The readable one keeps x_hat, and makes several arrays of x's size on the way. Here x itself is kept, which the layer
before has made anyway, and x_hat = (x - mean) inv_std is computed again where it is needed: the backward pass reads x
and dout twice and writes dx once. Sums are accumulated in float64, and the variance is that of the centred numbers, as
there.
"""

from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.batch_norm import running_update as running_update
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.typing import Array
from numpynet.workers import run


class BatchNormCache(NamedTuple):
    """What `batch_norm_backward` needs; mean, var and elements are read by `running_update`, too."""

    x: Array  # (N, C, pixels)
    inv_std: Array  # (C,)
    weight: Array | None  # (C,)
    mean: Array  # (C,)
    var: Array  # (C,)
    elements: int
    from_batch: bool
    shape: tuple[int, ...]  # of the output


def batch_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    mean: Array | None = None,
    var: Array | None = None,
    eps: float = 1e-5,
) -> tuple[Array, BatchNormCache | functional.BatchNormCache]:
    """See `numpynet.functional.batch_norm`."""
    if (
        not compiled(x, optional=(weight, bias, mean, var))
        or x.ndim < 3
        or x.size < 2 * x.shape[1]
        or not all(x.shape[1:])
        or (mean is None) != (var is None)
        or any(a is not None and a.shape != x.shape[1:2] for a in (weight, bias, mean, var))
        or not 0 < eps < np.inf
    ):
        return functional.batch_norm(x, weight, bias, mean, var, eps)  # small, or wrong, which it says
    N, C = x.shape[:2]
    planes = np.ascontiguousarray(x).reshape(N, C, -1)  # (N, C, ...) -> (N, C, pixels)
    out = empty(planes.shape, x.dtype)
    from_batch = mean is None
    mean_, var_ = (
        (np.empty(C, x.dtype), np.empty(C, x.dtype)) if mean is None or var is None else (mean.copy(), var.copy())
    )
    inv_std = np.empty(C, x.dtype)

    def channel(c: int) -> None:
        if from_batch:
            mean_[c], var_[c] = statistics(planes, c)
        inv_std[c] = 1 / np.sqrt(var_[c] + x.dtype.type(eps))
        slope = inv_std[c] if weight is None else inv_std[c] * weight[c]
        normalise(planes, out, c, mean_[c], slope, x.dtype.type(0) if bias is None else bias[c])

    run(channel, C)
    cache = BatchNormCache(planes, inv_std, weight, mean_, var_, x.size // C, from_batch, x.shape)
    return out.reshape(x.shape), cache


def batch_norm_backward(dout: Array, cache: BatchNormCache | functional.BatchNormCache) -> tuple[Array, Array, Array]:
    """See `numpynet.functional.batch_norm_backward`."""
    of_forward("batch_norm_backward", cache, BatchNormCache, functional.BatchNormCache)
    if isinstance(cache, functional.BatchNormCache):
        return functional.batch_norm_backward(dout, cache)
    of_output("batch_norm_backward", dout, cache.shape)
    C = cache.x.shape[1]
    of_shape((C,), "batch_norm_backward", mean=cache.mean, inv_std=cache.inv_std, weight=cache.weight)
    if dout.dtype != cache.x.dtype:
        return functional.batch_norm_backward(dout, _readable(cache))
    planes = np.ascontiguousarray(dout).reshape(cache.x.shape)  # (N, C, ...) -> (N, C, pixels)
    dx = empty(planes.shape, dout.dtype)
    dweight, dbias = np.empty(C, dout.dtype), np.empty(C, dout.dtype)
    M = dout.dtype.type(cache.elements)

    def channel(c: int) -> None:
        inv_std = cache.inv_std[c]
        dbias[c], dweight[c] = gradient_sums(planes, cache.x, c, cache.mean[c], inv_std)
        slope = inv_std if cache.weight is None else inv_std * cache.weight[c]
        if cache.from_batch:
            input_gradient(planes, cache.x, dx, c, cache.mean[c], inv_std, slope, dbias[c] / M, dweight[c] / M)
        else:  # x has no part in it: what is NaN there must not come in
            np.multiply(planes[:, c], slope, out=dx[:, c])

    run(channel, C)
    return dx.reshape(dout.shape), dweight, dbias


def _readable(cache: BatchNormCache) -> functional.BatchNormCache:
    """What the readable function would have kept."""
    x_hat = (cache.x - cache.mean[:, None]) * cache.inv_std[:, None]  # (N, C, pixels) - (C, 1)
    return functional.BatchNormCache(x_hat.reshape(cache.shape), *cache[1:-1])


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def statistics(x, c):  # type: ignore[no-untyped-def]
    """Mean and biased variance of channel c of x (N, C, pixels), summed in float64."""
    total = 0.0
    for n in range(x.shape[0]):
        plane = x[n, c]
        for k in range(plane.size):
            total += plane[k]
    elements = x.shape[0] * x.shape[2]
    mean = x.dtype.type(total / elements)
    squares = 0.0
    for n in range(x.shape[0]):
        plane = x[n, c]
        for k in range(plane.size):
            centred = np.float64(plane[k] - mean)
            squares += centred * centred
    return mean, x.dtype.type(squares / elements)


@njit(nogil=True, cache=True, fastmath={"contract"})
def normalise(x, out, c, mean, slope, bias):  # type: ignore[no-untyped-def]
    """out = (x - mean) slope + bias, for channel c."""
    for n in range(x.shape[0]):
        plane, target = x[n, c], out[n, c]
        for k in range(plane.size):
            target[k] = (plane[k] - mean) * slope + bias


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def gradient_sums(dout, x, c, mean, inv_std):  # type: ignore[no-untyped-def]
    """sum(dout) and sum(dout x_hat) over channel c, in float64."""
    total, along = 0.0, 0.0
    for n in range(x.shape[0]):
        plane, g = x[n, c], dout[n, c]
        for k in range(plane.size):
            total += g[k]
            along += np.float64(g[k] * ((plane[k] - mean) * inv_std))
    return x.dtype.type(total), x.dtype.type(along)


@njit(nogil=True, cache=True, fastmath={"contract"})
def input_gradient(dout, x, dx, c, mean, inv_std, slope, level, stretch):  # type: ignore[no-untyped-def]
    """dx = slope (dout - level - x_hat stretch), for channel c."""
    for n in range(x.shape[0]):
        plane, g, target = x[n, c], dout[n, c], dx[n, c]
        for k in range(plane.size):
            target[k] = slope * (g[k] - level - (plane[k] - mean) * inv_std * stretch)
