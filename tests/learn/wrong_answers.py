"""Wrong answers to the exercises that look right, or are right for some inputs: the judge must reject each."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

import numpynet
from numpynet import dispatch
from numpynet import functional as F
from numpynet.functional.conv2d import Conv2dCache
from numpynet.functional.linear import LinearCache
from numpynet.training import Trainer
from tests.learn.right_answers import layers_by_index, linear_backward_by_einsum, relu_backward_by_a_product
from tests.learn.right_answers_training import adam_update_out, staged_by_einsum, train_step_as_in_pytorch
from tests.learn.right_answers_windows import fold_by_loops, indices

WRONG: list[tuple[str, Callable[..., Any], str]] = []
"""The exercise, a function, and words of what must be said of it."""

CALLS_THE_ORIGINAL = "calls numpynet's own"
AGAIN = "called a second time with the same numbers"
STORED = "called with the same numbers stored in another way"


def wrong(exercise: str, words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the function below as a wrong answer."""

    def entered(function: Callable[..., Any]) -> Callable[..., Any]:
        WRONG.append((exercise, function, words))
        return function

    return entered


@wrong("numerical_gradient", "changes its argument x")
def leaves_a_rounding_error_in_x(function, x, dout, step=1e-6):
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        x[i] += step
        up = np.vdot(dout, function())
        x[i] -= 2 * step
        down = np.vdot(dout, function())
        x[i] += step
        gradient[i] = (up - down) / (2 * step)
    return gradient


@wrong("numerical_gradient", "yours")
def moves_in_one_direction(function, x, dout, step=1e-6):
    gradient, here = np.zeros_like(x), np.vdot(dout, function())
    for i in np.ndindex(x.shape):
        before, x[i] = x[i], x[i] + step
        gradient[i], x[i] = (np.vdot(dout, function()) - here) / step, before
    return gradient


@wrong("chain_backward", "the function changes its argument cache")
def empties_the_cache(self, dout, cache):
    for layer in reversed(self.path()):
        dout = layer.backward(dout, cache.pop())
    return dout


@wrong("chain_backward", "changes the order of cache; leave it as it was: `reversed(cache)`")
def reverses_the_cache(self, dout, cache):
    cache.reverse()
    for layer, its_cache in zip(self.path()[::-1], cache, strict=True):
        dout = layer.backward(dout, its_cache)
    return dout


@wrong("chain_backward", "float32")
def always_in_float64(self, dout, cache):
    return np.asarray(layers_by_index(self, dout, cache), np.float64)


@wrong("linear", "is float64 and must be float32")
def linear_in_float64(x, weight, bias=None):
    out = np.zeros((len(x), len(weight)))
    out += x @ weight.T + (0 if bias is None else bias)
    return out, LinearCache(x, weight, bias is not None)


@wrong("linear", "has_bias")
def forgets_the_bias(x, weight, bias=None):
    return x @ weight.T + (0 if bias is None else bias), LinearCache(x, weight, True)


@wrong("linear", "changes its argument x")
def works_in_x(x, weight, bias=None):
    out = x @ weight.T + (0 if bias is None else bias)
    x -= x.mean()
    return out, LinearCache(x, weight, bias is not None)


@wrong("linear", CALLS_THE_ORIGINAL)
def asks_the_layer(x, weight, bias=None):
    layer = numpynet.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=x.dtype)
    layer.weight.data[...] = weight
    return layer.forward(x)


SUM: dict[str, Any] = {}


@wrong("linear_backward", AGAIN)
def adds_to_the_last_call(dout, cache):
    dx, dweight, dbias = linear_backward_by_einsum(dout, cache)
    key = f"{dweight.shape} {dweight.dtype}"
    SUM[key] = SUM.get(key, 0) + dweight
    return dx, SUM[key], dbias


@wrong("linear_backward", "dbias must be None")
def always_a_bias(dout, cache):
    return dout @ cache.weight, dout.T @ cache.x, dout.sum(0)


@wrong("linear_backward", "dbias has its numbers in the memory of dout")
def a_view_of_a_single_row(dout, cache):
    dx, dweight, dbias = linear_backward_by_einsum(dout, cache)
    return dx, dweight, dout[0] if len(dout) == 1 and cache.has_bias else dbias


@wrong("linear_backward", CALLS_THE_ORIGINAL)
def the_layers_backward(dout, cache):
    layer = numpynet.Linear(cache.weight.shape[1], cache.weight.shape[0], bias=cache.has_bias, dtype=dout.dtype)
    return layer.backward(dout, cache), layer.weight.grad, layer.bias.grad if cache.has_bias else None


BUFFERS: dict[Any, Any] = {}


@wrong("relu_backward", "dx of one call and dx of the next call are the same memory")
def one_buffer_for_all_calls(dout, cache):
    buffer = BUFFERS.setdefault((dout.shape, dout.dtype), np.empty_like(dout))
    return np.multiply(dout, cache.passed, out=buffer)


FOUND: dict[Any, Any] = {}


@wrong("relu_backward", "")
def remembers_by_shape(dout, cache):
    return FOUND.setdefault((dout.shape, dout.dtype), relu_backward_by_a_product(dout, cache)).copy()


@wrong("relu_backward", "dx has its numbers in the memory of dout")
def hands_dout_on_if_all_passed(dout, cache):
    return dout if cache.passed.all() else relu_backward_by_a_product(dout, cache)


@wrong("relu_backward", STORED)
def reads_in_the_order_of_memory(dout, cache):
    return (dout.ravel(order="K") * cache.passed.ravel(order="C")).reshape(dout.shape)


@wrong("relu_backward", CALLS_THE_ORIGINAL)
def by_the_name_of_the_module(dout, cache):
    return importlib.import_module("numpynet.functional.relu").relu_backward(dout, cache)


@wrong("relu_backward", CALLS_THE_ORIGINAL)
def by_the_chosen_implementation(dout, cache):
    return dispatch.F.relu_backward(dout, cache)


@wrong("mse_loss_backward", "AttributeError")
def only_for_an_array_dloss(dloss, cache):
    return 2 * dloss.astype(cache.residual.dtype) * cache.residual / cache.divisor


@wrong("mse_loss_backward", "yours")
def leaves_dloss_out(dloss, cache):
    return 2 * cache.residual / cache.divisor


@wrong("smooth_l1_loss_backward", CALLS_THE_ORIGINAL)
def asks_the_criterion(dloss, cache):
    x = cache.residual
    return numpynet.SmoothL1Loss(beta=cache.beta)(x, np.zeros_like(x))[1] * dloss


@wrong("unfold", STORED)
def strides_of_a_whole_image(image, kernel, stride, dilation, out_size):
    C, _, W = image.shape
    item = image.itemsize
    c, h, w = item * image.shape[1] * W, item * W, item
    shape = (C, *kernel, *out_size)
    steps = (c, h * dilation[0], w * dilation[1], h * stride[0], w * stride[1])
    return as_strided(image, shape, steps).reshape(-1, out_size[0] * out_size[1])


@wrong("unfold", CALLS_THE_ORIGINAL)
def unfolds_by_a_convolution(image, kernel, stride, dilation, out_size):
    count = len(image) * kernel[0] * kernel[1]
    filters = np.eye(count, dtype=image.dtype).reshape(count, len(image), *kernel)
    return F.conv2d(image[None], filters, None, stride, 0, dilation)[0].reshape(count, -1)


@wrong("fold", STORED)
def adds_to_a_flat_view(dunfolded, dimage, kernel, stride, dilation, out_size):
    flat = np.ravel_multi_index(indices(len(dimage), kernel, stride, dilation, out_size), dimage.shape)
    np.add.at(dimage.reshape(-1), flat, dunfolded)


@wrong("fold", "dimage")
def begins_at_zero(dunfolded, dimage, kernel, stride, dilation, out_size):
    dimage[...] = 0
    fold_by_loops(dunfolded, dimage, kernel, stride, dilation, out_size)


@wrong("fold", "dimage")
def adds_once_per_pixel(dunfolded, dimage, kernel, stride, dilation, out_size):
    dimage[indices(len(dimage), kernel, stride, dilation, out_size)] += dunfolded


@wrong("conv2d_backward", CALLS_THE_ORIGINAL)
def asks_the_block(dout, cache):
    x, weight = cache.x, cache.weight
    _, block = F.conv_block(x, weight, np.zeros(len(weight), x.dtype), None, None, padding=cache.padding, pool=False)
    gradients = F.conv_block_backward(dout, block)
    return gradients.dx, gradients.dweight, gradients.dbias


@wrong("conv2d_backward", CALLS_THE_ORIGINAL)
def asks_for_a_part(dout, cache):
    return F.conv2d_backward(dout, Conv2dCache(*cache))


@wrong("batch_norm_backward_staged", "is float64 and must be float32")
def staged_in_float64(dout, kept):
    return {name: np.asarray(value, np.float64) for name, value in staged_by_einsum(dout, kept).items()}


@wrong("batch_norm_backward_staged", "the function changes its argument kept.x_hat")
def works_in_what_was_kept(dout, kept):
    found = staged_by_einsum(dout, kept)
    kept["x_hat"] *= dout
    return found


@wrong("batch_norm_backward_staged", CALLS_THE_ORIGINAL)
def asks_the_short_way(dout, kept):
    cache = F.batch_norm(kept["centred"], kept["weight"])[1]
    return staged_by_einsum(dout, kept) | {"dx": F.batch_norm_backward(dout, cache)[0]}


@wrong("batch_norm_backward", "AxisError")
def only_for_images(dout, cache):
    dbias, dweight = dout.sum(axis=(0, 2, 3)), (dout * cache.x_hat).sum(axis=(0, 2, 3))
    return dout, dweight, dbias


@wrong("dropout_backward", "dx has its numbers in the memory of dout")
def hands_dout_on_if_all_are_kept(dout, cache):
    return dout if cache.mask.all() else dout * cache.mask * cache.scale


MOMENTS: dict[Any, Any] = {}


@wrong("adam_update", AGAIN)
def keeps_its_own_moments(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps, weight_decay, decoupled=False):
    m, v = MOMENTS.setdefault((param.shape, param.dtype, betas, weight_decay, decoupled), [0 * param, 0 * param])
    adam_update_out(param, grad, m, v, step, lr, betas, eps, weight_decay, decoupled)
    exp_avg[...], exp_avg_sq[...] = m, v


@wrong("adam_update", STORED)
def moves_a_flat_view(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps, weight_decay, decoupled=False):
    arrays = (array.reshape(-1) for array in (param, grad, exp_avg, exp_avg_sq))
    adam_update_out(*arrays, step, lr, betas, eps, weight_decay, decoupled)


@wrong("train_step", "loss")
def the_loss_after_the_step(net, criterion, optimizer, images, targets):
    train_step_as_in_pytorch(net, criterion, optimizer, images, targets)
    return criterion(net.forward(images)[0], targets)[0]


@wrong("train_step", "loss")
def forgets_to_forget(net, criterion, optimizer, images, targets):
    out, cache = net.forward(images)
    loss, dout = criterion(out, targets)
    net.backward(dout, cache)
    optimizer.step()
    return loss


@wrong("train_step", CALLS_THE_ORIGINAL)
def asks_the_trainer(net, criterion, optimizer, images, targets):
    return Trainer(net, criterion, optimizer).train_step(images, targets)


@wrong("numerical_gradient", "put it back, `x[index] = old`")
def puts_back_by_subtracting(function, x, dout, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        x[index] += step
        above = (dout * function()).sum()
        x[index] -= 2 * step
        gradient[index] = (above - (dout * function()).sum()) / (2 * step)
        x[index] += step
    return gradient


@wrong("conv2d_backward", "and must have (1, 2, 5, 7)")
def forgets_the_rows_that_no_window_reached(dout, cache):
    (KH, KW), (SH, SW), (PH, PW), (DH, DW) = cache.weight.shape[2:], cache.stride, cache.padding, cache.dilation
    N, F, OH, OW = dout.shape
    spread = np.zeros((N, F, (OH - 1) * SH + 1, (OW - 1) * SW + 1), dout.dtype)
    spread[:, :, ::SH, ::SW] = dout
    down, right = DH * (KH - 1), DW * (KW - 1)
    framed = np.pad(spread, ((0, 0), (0, 0), (down, down), (right, right)))
    xp = np.pad(cache.x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    dxp = np.zeros((*xp.shape[:2], framed.shape[2] - down, framed.shape[3] - right), dout.dtype)
    dweight = np.zeros_like(cache.weight)
    for kh, kw in np.ndindex(KH, KW):
        part = framed[:, :, down - DH * kh :, right - DW * kw :][:, :, : dxp.shape[2], : dxp.shape[3]]
        dxp += np.einsum("nfhw,fc->nchw", part, cache.weight[:, :, kh, kw])
        seen = xp[:, :, DH * kh :: SH, DW * kw :: SW][:, :, :OH, :OW]
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dout, seen)
    dx = dxp[:, :, PH : PH + cache.x.shape[2], PW : PW + cache.x.shape[3]]
    return dx.copy(), dweight, dout.sum(axis=(0, 2, 3)) if cache.has_bias else None
