"""Batch norm with channels last, one image per task; the mathematics is in numpynet/functional/batch_norm.py.

The readable function makes several arrays of x's size and keeps x_hat. This one keeps x, which is the previous layer's
output and exists anyway, and computes x_hat = (x - mean) inv_std again when it needs it. So the backward pass reads x
and dout twice and writes dx once. As in the readable function, sums are made in float64, and the variance is the mean
square of x - mean.
"""

from typing import Any, NamedTuple

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.kernels import norm_relu
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.kernels.pixels import pixels_of
from numpynet.kernels.vector_loops import pixel_loop
from numpynet.typing import Array
from numpynet.workers import run


class BatchNormCache(NamedTuple):
    """What `batch_norm_backward` and `running_update` need."""

    rows: Array  # x as (N, pixels, C)
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
    rows = _rows_of(x)  # (N, pixels, C)
    from_batch = mean is None
    if mean is None or var is None:
        mean, var = statistics(rows)
    mean, var = np.array(mean, x.dtype), np.array(var, x.dtype)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    slope = np.ascontiguousarray(inv_std if weight is None else inv_std * weight)
    bias = np.zeros(C, x.dtype) if bias is None else np.ascontiguousarray(bias)
    out = empty(rows.shape, x.dtype)
    run(lambda n: normalise_rows(rows[n], out[n], mean, slope, bias), N)
    cache = BatchNormCache(rows, inv_std, weight, mean, var, x.size // C, from_batch, x.shape)
    return _like(out, x.shape), cache


def batch_norm_backward(dout: Array, cache: BatchNormCache | functional.BatchNormCache) -> tuple[Array, Array, Array]:
    """See `numpynet.functional.batch_norm_backward`."""
    of_forward("batch_norm_backward", cache, BatchNormCache, functional.BatchNormCache)
    if isinstance(cache, functional.BatchNormCache):
        return functional.batch_norm_backward(dout, cache)
    of_output("batch_norm_backward", dout, cache.shape)
    N, _, C = cache.rows.shape
    of_shape((C,), "batch_norm_backward", mean=cache.mean, inv_std=cache.inv_std, weight=cache.weight)
    if dout.dtype != cache.rows.dtype:
        return functional.batch_norm_backward(dout, _readable(cache))
    rows, dx, sums = _rows_of(dout), empty(cache.rows.shape, dout.dtype), np.zeros((N, 2, C))
    mean = np.ascontiguousarray(cache.mean)
    run(lambda n: affine_gradients(rows[n], cache.rows[n], mean, sums[n]), N)
    dbias, dot = sums.sum(axis=0)  # (N, 2, C) -> (2, C)
    dweight = dot * cache.inv_std
    slope = np.ascontiguousarray(cache.inv_std if cache.weight is None else cache.inv_std * cache.weight)
    if cache.from_batch:
        offset = (-slope * dbias / cache.elements).astype(dout.dtype)
        coefficient = (slope * cache.inv_std * dweight / cache.elements).astype(dout.dtype)
        run(lambda n: input_gradient(rows[n], cache.rows[n], dx[n], mean, slope, offset, coefficient), N)
    else:  # dx = slope dout: a NaN in x must not reach it
        run(lambda n: np.multiply(rows[n], slope, out=dx[n]), N)
    return _like(dx, cache.shape), dweight.astype(dout.dtype), dbias.astype(dout.dtype)


def _rows_of(x: Array) -> Array:
    """x (N, C, ...) as contiguous rows (N, pixels, C)."""
    N, C = x.shape[:2]
    rows = pixels_of(x.reshape(N, C, -1, 1)) if x.flags.c_contiguous else np.ascontiguousarray(np.moveaxis(x, 1, -1))
    return rows.reshape(N, -1, C)


def _like(rows: Array, shape: tuple[int, ...]) -> Array:
    """Rows (N, pixels, C) as a view of the shape (N, C, ...)."""
    return np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def _readable(cache: BatchNormCache) -> functional.BatchNormCache:
    """The cache of the readable function, made from that of the kernel."""
    x_hat = (cache.rows - cache.mean) * cache.inv_std  # (N, pixels, C) - (C,)
    return functional.BatchNormCache(_like(x_hat, cache.shape), *cache[1:-1])  # all but rows and shape


def statistics(rows: Array) -> tuple[Array, Array]:
    """The mean and the biased variance of each channel of rows (N, pixels, C), with sums in float64: (C,) each."""
    N, pixels, C = rows.shape
    means, squares = np.empty((2, N, C))
    run(lambda n: norm_relu.moments(rows[n], means[n], squares[n]), N)
    mean = means.mean(axis=0)
    return mean, (squares.sum(axis=0) / pixels + np.square(means - mean).sum(axis=0)) / N


def _sums(dout: Any, x: Any, mean: Any) -> tuple[Any, Any]:
    """The summands of dbias and of dweight / inv_std."""
    return dout, dout.wide() * (x - mean).wide()


def _dx(dout: Any, x: Any, mean: Any, slope: Any, offset: Any, coefficient: Any) -> tuple[Any]:
    """dx"""
    return (offset - coefficient * (x - mean) + slope * dout,)


_normalise_loop = pixel_loop(lambda x, mean, slope, shift: (norm_relu.normalise(x, mean, slope, shift),))
_sums_loop, _dx_loop = pixel_loop(_sums), pixel_loop(_dx)


@njit(nogil=True, cache=True)
def normalise_rows(rows, out, mean, slope, bias):  # type: ignore[no-untyped-def]
    """out = slope (x - mean) + bias, with slope = weight inv_std; rows and out (pixels, C)."""
    pixels, C = rows.shape
    _normalise_loop(pixels, C, (rows, 0, C), (out, 0, C), (mean, slope, bias), ())


@njit(nogil=True, cache=True)
def affine_gradients(dout, rows, mean, sums):  # type: ignore[no-untyped-def]
    """sums (2, C) += sum(dout) and sum(dout (x - mean)), in float64; dout and rows (pixels, C)."""
    pixels, C = rows.shape
    _sums_loop(pixels, C, (dout, 0, C, rows, 0, C), (), (mean,), (sums[0], sums[1]))


@njit(nogil=True, cache=True)
def input_gradient(dout, rows, dx, mean, slope, offset, coefficient):  # type: ignore[no-untyped-def]
    """dx = slope (dout - dbias / M - x_hat dweight / M) = slope dout + offset - coefficient (x - mean)."""
    pixels, C = rows.shape
    _dx_loop(pixels, C, (dout, 0, C, rows, 0, C), (dx, 0, C), (mean, slope, offset, coefficient), ())
