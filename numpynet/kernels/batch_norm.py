"""Batch norm, one channel per task of the pool; the mathematics is in numpynet/functional/batch_norm.py.

The readable function makes several arrays of x's size and keeps x_hat. This one keeps x, which is the previous layer's
output and exists anyway, and computes x_hat = (x - mean) inv_std again when it needs it. So the backward pass reads x
and dout twice and writes dx once. As in the readable function, sums are made in float64, and the variance is the mean
square of x - mean.
"""

from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.typing import Array
from numpynet.workers import run


class BatchNormCache(NamedTuple):
    """What `batch_norm_backward` and `running_update` need."""

    x: Array  # (N, C, pixels)
    inv_std: Array  # (C,): 1 / std
    weight: Array | None  # (C,)
    mean: Array  # (C,), given or the batch's
    var: Array  # (C,), given or the batch's biased one
    elements: int  # M, the number of elements in each channel
    from_batch: bool  # False if mean and var were given
    shape: tuple[int, ...]  # of x and of the output


def batch_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
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
        return functional.batch_norm(x, weight, bias, mean=mean, var=var, eps=eps)  # it also reports what is wrong
    N, C = x.shape[:2]
    planes = np.ascontiguousarray(x).reshape(N, C, -1)  # (N, C, ...) -> (N, C, pixels)
    out = empty(planes.shape, x.dtype)
    from_batch = mean is None
    used_mean = np.empty(C, x.dtype) if mean is None else mean.copy()
    used_var = np.empty(C, x.dtype) if var is None else var.copy()
    inv_std = np.empty(C, x.dtype)

    def channel(c: int) -> None:
        if from_batch:
            used_mean[c], used_var[c] = statistics(planes, c)
        inv_std[c] = 1 / np.sqrt(used_var[c] + x.dtype.type(eps))
        slope = inv_std[c] if weight is None else inv_std[c] * weight[c]
        normalise(planes, out, c, used_mean[c], slope, x.dtype.type(0) if bias is None else bias[c])

    run(channel, C)
    cache = BatchNormCache(planes, inv_std, weight, used_mean, used_var, x.size // C, from_batch, x.shape)
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
        dbias[c], dweight[c] = affine_gradients(planes, cache.x, c, cache.mean[c], inv_std)
        slope = inv_std if cache.weight is None else inv_std * cache.weight[c]
        if cache.from_batch:
            input_gradient(planes, cache.x, dx, c, cache.mean[c], inv_std, slope, dbias[c] / M, dweight[c] / M)
        else:  # dx = slope dout: a NaN in x must not reach it
            np.multiply(planes[:, c], slope, out=dx[:, c])

    run(channel, C)
    return dx.reshape(dout.shape), dweight, dbias


def _readable(cache: BatchNormCache) -> functional.BatchNormCache:
    """The cache of the readable function, made from that of the kernel."""
    x_hat = (cache.x - cache.mean[:, None]) * cache.inv_std[:, None]  # (N, C, pixels) - (C, 1)
    return functional.BatchNormCache(x_hat.reshape(cache.shape), *cache[1:-1])  # all but x and shape


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def statistics(x, c):  # type: ignore[no-untyped-def]
    """mean = sum(x) / M and var = sum((x - mean)^2) / M of channel c of x (N, C, pixels), with sums in float64."""
    total = 0.0
    for n in range(x.shape[0]):
        x_row = x[n, c]
        for k in range(x_row.size):
            total += x_row[k]
    M = x.shape[0] * x.shape[2]
    mean = x.dtype.type(total / M)
    squares = 0.0
    for n in range(x.shape[0]):
        x_row = x[n, c]
        for k in range(x_row.size):
            centred = np.float64(x_row[k] - mean)
            squares += centred * centred
    return mean, x.dtype.type(squares / M)


@njit(nogil=True, cache=True, fastmath={"contract"})
def normalise(x, out, c, mean, slope, bias):  # type: ignore[no-untyped-def]
    """out = slope (x - mean) + bias for channel c, with slope = weight inv_std."""
    for n in range(x.shape[0]):
        x_row, out_row = x[n, c], out[n, c]
        for k in range(x_row.size):
            out_row[k] = (x_row[k] - mean) * slope + bias


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def affine_gradients(dout, x, c, mean, inv_std):  # type: ignore[no-untyped-def]
    """dbias = sum(dout) and dweight = sum(dout x_hat) of channel c, with sums in float64."""
    dbias, dweight = 0.0, 0.0
    for n in range(x.shape[0]):
        x_row, dout_row = x[n, c], dout[n, c]
        for k in range(x_row.size):
            dbias += dout_row[k]
            dweight += np.float64(dout_row[k] * ((x_row[k] - mean) * inv_std))
    return x.dtype.type(dbias), x.dtype.type(dweight)


@njit(nogil=True, cache=True, fastmath={"contract"})
def input_gradient(dout, x, dx, c, mean, inv_std, slope, mean_dout, mean_dout_x_hat):  # type: ignore[no-untyped-def]
    """dx = slope (dout - dbias / M - x_hat dweight / M) for channel c, with slope = weight inv_std."""
    for n in range(x.shape[0]):
        x_row, dout_row, dx_row = x[n, c], dout[n, c], dx[n, c]
        for k in range(x_row.size):
            dx_row[k] = slope * (dout_row[k] - mean_dout - (x_row[k] - mean) * inv_std * mean_dout_x_hat)
