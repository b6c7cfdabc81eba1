"""Right answers to the exercises, in styles unlike numpynet's own: the judge must accept each."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from numpynet.functional.linear import LinearCache
from numpynet.typing import Array

ANSWERS: list[tuple[str, Callable[..., Any]]] = []
"""The exercise, and a function that solves it."""


def answers(exercise: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the function below as an answer to this exercise."""

    def entered(function: Callable[..., Any]) -> Callable[..., Any]:
        ANSWERS.append((exercise, function))
        return function

    return entered


def loss(function, dout):
    return float((np.asarray(function()) * dout).sum())


@answers("numerical_gradient")
def slopes_by_flat_index(function, x, dout, step=1e-6):
    found = []
    for i in range(x.size):
        old = x.flat[i]
        x.flat[i] = old + step
        up = loss(function, dout)
        x.flat[i] = old - step
        down = loss(function, dout)
        x.flat[i] = old
        found.append((up - down) / (2 * step))
    return np.array(found).reshape(x.shape)


@answers("numerical_gradient")
def slopes_from_a_copy(function, x, dout, step=1e-6):
    before = x.copy()
    gradient = np.zeros(x.shape)
    with np.nditer(gradient, flags=["multi_index"], op_flags=[["writeonly"]]) as places:
        for place in places:
            ends = []
            for sign in (1, -1):
                x[places.multi_index] += sign * step
                ends.append(loss(function, dout))
                x[...] = before
            place[...] = (ends[0] - ends[1]) / step / 2
    return gradient


@answers("chain_backward")
def layers_by_index(self, dout, cache):
    path = self.path()
    for i in range(len(path) - 1, -1, -1):
        dout = path[i].backward(dout, cache[i])
    return dout


@answers("chain_backward")
def layers_popped_from_copies(self, dout, cache):
    layers, caches = list(self.path()), list(cache)
    arriving = dout.copy()
    while layers:
        arriving = layers.pop().backward(arriving, caches.pop())
    return arriving


@answers("chain_backward")
def layers_recursively(self, dout, cache):
    def back(layers, caches):
        if not layers:
            return dout
        return layers[0].backward(back(layers[1:], caches[1:]), caches[0])

    return back(self.path(), cache)


@answers("linear")
def linear_by_einsum(x, weight, bias=None):
    out = np.einsum("ni,oi->no", x, weight)
    return (out if bias is None else out + bias), LinearCache(x, weight, bias is not None)


@answers("linear")
def linear_by_loops(x, weight, bias=None):
    out = np.empty((x.shape[0], weight.shape[0]), x.dtype)
    for n, row in enumerate(x):
        for o, filter_ in enumerate(weight):
            out[n, o] = np.dot(row, filter_)
            if bias is not None:
                out[n, o] += bias[o]
    return [out, LinearCache(x=x, weight=weight, has_bias=bias is not None)]


@answers("linear")
def linear_in_columns(x, weight, bias=None):
    out = (weight @ x.T).T
    if bias is None:
        return out, LinearCache(x, weight, has_bias=False)
    np.add(out, bias[None, :], out=out)
    return out, LinearCache(x.copy(), weight.copy(), has_bias=True)


@answers("linear_backward")
def linear_backward_by_einsum(dout, cache):
    dbias = np.einsum("no->o", dout) if cache.has_bias else None
    return [np.einsum("no,oi->ni", dout, cache.weight), np.einsum("no,ni->oi", dout, cache.x), dbias]


@answers("linear_backward")
def linear_backward_by_outer_products(dout, cache):
    x, weight, has_bias = cache
    dweight, dbias = np.zeros_like(weight), np.zeros_like(weight[:, 0])
    rows = []
    for row, arriving in zip(x, dout, strict=True):
        rows.append(weight.T.dot(arriving))
        dweight += np.outer(arriving, row)
        dbias += arriving
    return np.stack(rows), dweight, dbias if has_bias else None


class Gradients(NamedTuple):
    """A result with names."""

    dx: Array
    dweight: Array
    dbias: Array | None


@answers("linear_backward")
def linear_backward_by_tensordot(dout: Array, cache: LinearCache) -> Gradients:
    ones = np.ones(len(dout), dout.dtype)
    dweight = np.tensordot(dout, cache.x, axes=(0, 0))
    return Gradients(np.tensordot(dout, cache.weight, 1), dweight, ones @ dout if cache.has_bias else None)


@answers("relu_backward")
def relu_backward_by_a_product(dout, cache):
    return dout * cache.passed


@answers("relu_backward")
def relu_backward_on_an_own_copy(dout, cache):
    dx = np.array(dout)
    dx[~cache.passed] = 0
    return dx


@answers("relu_backward")
def relu_backward_number_by_number(dout, cache):
    dx = np.zeros_like(dout)
    for index in np.ndindex(dout.shape):
        if cache.passed[index]:
            dx[index] = dout[index]
    return dx


@answers("mse_loss_backward")
def mse_loss_backward_with_numpy_numbers(dloss, cache):
    factor = np.float64(2.0) * np.float64(dloss) / np.float64(cache.divisor)
    return (cache.residual.astype(np.float64) * factor).astype(cache.residual.dtype)


@answers("mse_loss_backward")
def mse_loss_backward_step_by_step(dloss, cache):
    dsquares = np.full_like(cache.residual, dloss / cache.divisor)
    return np.multiply(dsquares, np.add(cache.residual, cache.residual))


@answers("smooth_l1_loss_backward")
def smooth_l1_loss_backward_by_masks(dloss, cache):
    d = cache.residual
    slope = np.zeros_like(d)
    slope[d > 0] = 1
    slope[d < 0] = -1
    near = np.abs(d) < cache.beta
    if near.any():
        slope[near] = d[near] / cache.beta
    return slope * d.dtype.type(dloss) / d.dtype.type(cache.divisor)


@answers("smooth_l1_loss_backward")
def smooth_l1_loss_backward_by_numbers(dloss, cache):
    def slope(d):
        if abs(d) < cache.beta:
            return d / cache.beta
        return math.copysign(1.0, d) if d else 0.0

    numbers = [slope(float(d)) * float(dloss) / cache.divisor for d in cache.residual.flat]
    return np.array(numbers, dtype=cache.residual.dtype).reshape(cache.residual.shape)
