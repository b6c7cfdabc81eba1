"""Right answers to the exercises, in styles unlike numpynet's own: the judge must accept each."""

import itertools
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


@answers("batch_norm_backward_staged")
def staged_by_einsum(dout, kept):
    M, C = dout.shape
    centred, std = kept["centred"], kept["std"]
    grads = {"dbias": np.add.reduce(dout), "dweight": np.einsum("mc,mc->c", dout, kept["x_hat"])}
    grads["dx_hat"] = np.einsum("mc,c->mc", dout, kept["weight"])
    grads["dstd"] = -np.einsum("mc,mc->c", grads["dx_hat"], centred) * std**-2
    grads["dvar"] = grads["dstd"] * 0.5 * std**-1
    grads["dcentred"] = grads["dx_hat"] * std**-1 + (2 / M) * centred * grads["dvar"]
    grads["dmean"] = -(np.ones(M, dout.dtype) @ grads["dcentred"])
    grads["dx"] = grads["dcentred"] + np.broadcast_to(grads["dmean"], (M, C)) / M
    return grads


@answers("batch_norm_backward_staged")
def staged_column_by_column(dout, kept):
    M = len(dout)
    names = ("dbias", "dweight", "dx_hat", "dstd", "dvar", "dcentred", "dmean", "dx")
    columns = {name: [] for name in (*names, "more")}
    for c in range(dout.shape[1]):
        centred, x_hat, std = kept["centred"][:, c], kept["x_hat"][:, c], kept["std"][c]
        dx_hat = dout[:, c] * kept["weight"][c]
        dstd = np.sum(dx_hat * -centred / std**2)
        dvar = dstd / std / 2
        dcentred = dx_hat / std + 2 * dvar * centred / M
        dmean = -dcentred.sum()
        all_ = dout[:, c].sum(), (dout[:, c] * x_hat).sum(), dx_hat, dstd, dvar, dcentred, dmean, dcentred + dmean / M
        for name, value in zip(names, all_, strict=True):
            columns[name].append(value)
    return {name: np.stack(parts, axis=-1) for name, parts in columns.items() if parts}


@answers("batch_norm_backward")
def batch_norm_backward_in_rows(dout, cache):
    """(N, C, ...) becomes (M, C) first."""
    C = dout.shape[1]
    rows, x_hat = (np.moveaxis(array, 1, -1).reshape(-1, C) for array in (dout, cache.x_hat))
    dweight, dbias = (rows * x_hat).sum(0), rows.sum(0)
    dx = rows - (dbias + x_hat * dweight) / len(rows) if cache.from_batch else rows.copy()
    dx *= cache.inv_std if cache.weight is None else cache.weight * cache.inv_std
    shape = dout.shape[:1] + dout.shape[2:] + (C,)
    return np.moveaxis(dx.reshape(shape), -1, 1), dweight, dbias


@answers("batch_norm_backward")
def batch_norm_backward_channel_by_channel(dout, cache):
    dx, dweight, dbias = np.empty_like(dout), [], []
    for c in range(dout.shape[1]):
        arriving, x_hat = dout[:, c], cache.x_hat[:, c]
        dweight.append((arriving * x_hat).sum())
        dbias.append(arriving.sum())
        inner = arriving - arriving.mean() - x_hat * (arriving * x_hat).mean() if cache.from_batch else arriving
        weight = 1 if cache.weight is None else cache.weight[c]
        dx[:, c] = weight * cache.inv_std[c] * inner
    return [dx, np.array(dweight), np.array(dbias)]


@answers("dropout_backward")
def dropout_backward_by_where(dout, cache):
    return np.where(cache.mask, dout * cache.scale, np.zeros_like(dout))


@answers("dropout_backward")
def dropout_backward_on_the_kept(dout, cache):
    dx = np.zeros(dout.shape, dout.dtype)
    dx[cache.mask] = cache.scale * dout[cache.mask]
    return dx


@answers("soft_argmax2d_backward")
def soft_argmax2d_backward_by_loops(dout, cache):
    N, K, H, W = cache.share.shape
    dx = np.empty_like(cache.share)
    for n, k, h, w in itertools.product(range(N), range(K), range(H), range(W)):
        right = (2 * w + 1) / W - 1 - cache.position[n, k, 0]
        down = (2 * h + 1) / H - 1 - cache.position[n, k, 1]
        dx[n, k, h, w] = cache.share[n, k, h, w] * (dout[n, 2 * k] * right + dout[n, 2 * k + 1] * down)
    return dx


@answers("soft_argmax2d_backward")
def soft_argmax2d_backward_by_the_softmax(dout, cache):
    """Through the shares: ds first, then the backward pass of softmax."""
    N, K, H, W = cache.share.shape
    rows, columns = np.mgrid[0:H, 0:W]
    places = np.stack([(2 * columns + 1) / W - 1, (2 * rows + 1) / H - 1]).astype(dout.dtype)
    dshare = np.einsum("nkp,phw->nkhw", dout.reshape(N, K, 2), places)
    inner = np.einsum("nkhw,nkhw->nk", dshare, cache.share)
    return cache.share * (dshare - inner[..., None, None])


@answers("adam_update")
def adam_update_out(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps, weight_decay, decoupled=False):
    b1, b2 = betas
    g = grad if decoupled else grad + weight_decay * param
    if decoupled:
        np.multiply(param, 1 - lr * weight_decay, out=param)
    np.add(b1 * exp_avg, (1 - b1) * g, out=exp_avg)
    np.add(b2 * exp_avg_sq, (1 - b2) * np.square(g), out=exp_avg_sq)
    np.subtract(param, lr * (exp_avg / (1 - b1**step)) / (np.sqrt(exp_avg_sq / (1 - b2**step)) + eps), out=param)
    return param


@answers("adam_update")
def adam_update_number_by_number(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps, weight_decay, decoupled=False):
    for i in np.ndindex(param.shape):
        w, g = float(param[i]), float(grad[i])
        if decoupled:
            w -= lr * weight_decay * w
        else:
            g += weight_decay * w
        m = betas[0] * float(exp_avg[i]) + (1 - betas[0]) * g
        v = betas[1] * float(exp_avg_sq[i]) + (1 - betas[1]) * g * g
        exp_avg[i], exp_avg_sq[i] = m, v
        param[i] = w - lr * m / (1 - betas[0] ** step) / (math.sqrt(v / (1 - betas[1] ** step)) + eps)


@answers("train_step")
def train_step_as_in_pytorch(net, criterion, optimizer, images, targets):
    optimizer.zero_grad()
    out, cache = net.forward(images)
    loss_, dout = criterion(out, targets)
    net.backward(dout, cache)
    optimizer.step()
    return float(loss_)


@answers("train_step")
def train_step_with_a_numpy_number(net, criterion, optimizer, images, targets):
    net.zero_grad()
    out, cache = net.forward(images)
    result = criterion(out, targets)
    net.backward(result[1], cache)
    optimizer.step()
    net.zero_grad()
    return np.float64(result[0])
