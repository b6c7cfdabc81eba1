"""Every intermediate of every derivation has the value and the gradient that PyTorch's autograd gives it.

The forward passes are written again here, with torch, one line per intermediate. Autograd does the backward pass.
"""

import numpy as np
import pytest

import numpynet.functional as F
from numpynet.learn.derivations.adam import adam
from numpynet.learn.derivations.batch_norm import batch_norm
from numpynet.learn.derivations.convolution import conv2d_product, conv2d_rotated, conv2d_scatter, max_pool2d
from numpynet.learn.derivations.losses import mse_loss, smooth_l1_loss
from numpynet.learn.derivations.simple import dropout, flatten, linear, relu, residual, upsample_nearest2d
from numpynet.learn.derivations.soft_argmax2d import soft_argmax2d
from tests.seeds import seeded

LARGEST = 1e-12
"""The largest relative difference allowed."""
SMALLEST_SCALE = 1e-3
"""A difference is relative to the largest number of its array, but at least to this: the gradient of the largest number
in soft argmax is 0, and only rounding is left of it. The inputs here are of size 1."""
GEOMETRIES = [
    {"stride": 1, "padding": 0, "dilation": 1},
    {"stride": 2, "padding": 1, "dilation": 1},
    {"stride": 3, "padding": 2, "dilation": 2},
]


def difference(ours, theirs):
    """The largest difference of two arrays, relative to the largest number of the second."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), SMALLEST_SCALE)


def draw(name, *shapes):
    rng = seeded("derivation", name)
    return [rng.standard_normal(shape) for shape in shapes]


def torch_linear(t, x, weight, bias):
    terms = x[:, None, :] * weight[None, :, :]
    product = terms.sum(2)
    return {"terms": terms, "product": product, "out": product + bias}


def torch_relu(t, x):
    return {"out": t.relu(x)}


def torch_dropout(t, x, *, mask, p):
    kept = x * t.tensor(mask)
    return {"kept": kept, "out": kept / (1 - p)}


def torch_flatten(t, x):
    return {"out": x.flatten(1)}


def torch_upsample(t, x, *, scale_factor):
    tall = x.repeat_interleave(scale_factor, 2)
    return {"tall": tall, "out": tall.repeat_interleave(scale_factor, 3)}


def torch_residual(t, x, weight):
    hidden = t.nn.functional.linear(x, weight)
    branch = t.relu(hidden)
    return {"hidden": hidden, "branch": branch, "out": x + branch}


def torch_mse(t, x, *, target):
    residual = x - t.tensor(target)
    squares = residual.square()
    total = squares.sum()
    return {"residual": residual, "squares": squares, "total": total, "loss": total / x.numel()}


def torch_smooth_l1(t, x, *, target, beta):
    residual = x - t.tensor(target)
    size = residual.abs()
    elements = t.where(size < beta, size.square() / (2 * beta), size - beta / 2)
    total = elements.sum()
    named = {"residual": residual, "size": size, "elements": elements, "total": total}
    return named | {"loss": total / x.numel()}


def torch_conv_scatter(t, x, weight, bias, *, stride, padding, dilation):
    xp = t.nn.functional.pad(x, [padding] * 4)
    return {"xp": xp, "out": t.nn.functional.conv2d(xp, weight, bias, stride, 0, dilation)}


def torch_conv_product(t, x, weight, bias, *, stride, padding, dilation):
    xp = t.nn.functional.pad(x, [padding] * 4)
    unfolded = t.nn.functional.unfold(xp, weight.shape[2:], dilation, 0, stride)
    filters = weight.flatten(1)
    product = filters @ unfolded
    shape = t.nn.functional.conv2d(xp, weight, bias, stride, 0, dilation).shape
    out = product.reshape(shape) + bias[:, None, None]
    return {"xp": xp, "unfolded": unfolded, "filters": filters, "product": product, "out": out}


def torch_max_pool(t, x, *, kernel, stride):
    N, C, H, W = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    windows = t.nn.functional.unfold(x, kernel, stride=stride).reshape(N, C, kernel * kernel, OH, OW)
    return {"windows": windows, "out": windows.amax(2)}


def torch_batch_norm(t, x, weight, bias, *, eps):
    mean = x.mean(0)
    centred = x - mean
    squares = centred.square()
    var = squares.mean(0)
    var_eps = var + eps
    std = var_eps.sqrt()
    inv_std = 1 / std
    x_hat = centred * inv_std
    scaled = x_hat * weight
    named = {"mean": mean, "centred": centred, "squares": squares, "var": var, "var_eps": var_eps, "std": std}
    return named | {"inv_std": inv_std, "x_hat": x_hat, "scaled": scaled, "out": scaled + bias}


def torch_soft_argmax(t, x):
    N, K, H, W = x.shape
    largest = x.amax((2, 3), keepdim=True)
    shifted = x - largest
    exp = shifted.exp()
    total = exp.sum((2, 3), keepdim=True)
    share = exp / total
    columns, rows = share.sum(2), share.sum(3)
    centres = [(t.arange(size, dtype=t.float64) + 0.5) * 2 / size - 1 for size in (W, H)]
    position_x, position_y = (columns * centres[0]).sum(2), (rows * centres[1]).sum(2)
    out = t.stack([position_x, position_y], 2).reshape(N, 2 * K)
    named = {"largest": largest, "shifted": shifted, "exp": exp, "total": total, "share": share}
    return named | {"columns": columns, "rows": rows, "position_x": position_x, "position_y": position_y, "out": out}


CONVOLUTION = {"x": (2, 2, 9, 10), "weight": (4, 2, 3, 4), "bias": (4,)}
TARGET, SHARES = draw("target", (3, 4), (3, 4))
CASES = {
    "linear": (linear, torch_linear, {"x": (3, 4), "weight": (2, 4), "bias": (2,)}, {}),
    "relu": (relu, torch_relu, {"x": (3, 4)}, {}),
    "dropout": (dropout, torch_dropout, {"x": (3, 4)}, {"mask": SHARES > 0.3, "p": 0.3}),
    "flatten": (flatten, torch_flatten, {"x": (2, 3, 2, 4)}, {}),
    "upsample_nearest2d": (upsample_nearest2d, torch_upsample, {"x": (2, 3, 2, 4)}, {"scale_factor": 3}),
    "residual": (residual, torch_residual, {"x": (3, 4), "weight": (4, 4)}, {}),
    "mse_loss": (mse_loss, torch_mse, {"x": (3, 4)}, {"target": TARGET}),
    "smooth_l1_loss": (smooth_l1_loss, torch_smooth_l1, {"x": (3, 4)}, {"target": TARGET, "beta": 0.8}),
    "max_pool2d": (max_pool2d, torch_max_pool, {"x": (2, 3, 11, 9)}, {"kernel": 3, "stride": 2}),
    "batch_norm": (batch_norm, torch_batch_norm, {"x": (6, 3), "weight": (3,), "bias": (3,)}, {"eps": 1e-3}),
    "soft_argmax2d": (soft_argmax2d, torch_soft_argmax, {"x": (2, 3, 4, 5)}, {}),
}
for number, geometry in enumerate(GEOMETRIES):
    CASES[f"conv2d-{number}"] = (conv2d_product, torch_conv_product, CONVOLUTION, geometry)
    CASES[f"conv2d_scatter-{number}"] = (conv2d_scatter, torch_conv_scatter, CONVOLUTION, geometry)
    CASES[f"conv2d_rotated-{number}"] = (conv2d_rotated, torch_conv_scatter, CONVOLUTION, geometry)


def by_autograd(name):
    """The value and gradient of every intermediate, from torch; the derivation, from the same inputs and dout."""
    t = pytest.importorskip("torch", reason="PyTorch is not installed (the extra `torch`)")
    ours, forward, shapes, options = CASES[name]
    arrays = dict(zip(shapes, draw(name, *shapes.values()), strict=True))
    tensors = {key: t.tensor(value, requires_grad=True) for key, value in arrays.items()}
    tensors |= forward(t, **tensors, **options)
    for tensor in tensors.values():
        tensor.retain_grad()
    if "loss" in tensors:
        tensors["loss"].backward()
        return tensors, ours(**arrays, **options)
    (dout,) = draw(f"dout of {name}", tuple(tensors["out"].shape))
    tensors["out"].backward(t.tensor(dout))
    return tensors, ours(**arrays, **options, dout=dout)


@pytest.mark.torch
@pytest.mark.parametrize("name", CASES)
def test_every_intermediate_agrees_with_autograd(name):
    tensors, staged = by_autograd(name)
    with_gradient = {key for key, (_, gradient) in staged.items() if gradient is not None}
    assert with_gradient == set(tensors)
    for key, tensor in tensors.items():
        value, gradient = staged[key]
        assert np.shape(gradient) == np.shape(value)
        assert difference(value, tensor.detach()) < LARGEST, key
        assert difference(gradient, tensor.grad) < LARGEST, key


@pytest.mark.torch
def test_sixty_intermediates_are_compared(capsys):
    """Counts each intermediate once, with the first geometry alone."""
    compared, largest = 0, 0.0
    for name in CASES:
        tensors, staged = by_autograd(name)
        largest = max([largest, *(difference(staged[key][1], tensors[key].grad) for key in tensors)])
        compared += len(tensors) if name.endswith("-0") or "-" not in name else 0
    with capsys.disabled():
        print(f"\nderivations: {compared} intermediates compared with autograd, largest difference {largest:.1e}")
    assert compared >= 60
    assert largest < LARGEST


def test_at_the_kink_nothing_passes():
    """As in `numpynet.functional`: drawn inputs never meet the kink."""
    x, ones = np.array([[0.0, 1.0]]), np.ones((1, 2))
    assert relu(x, ones)["x"][1].tolist() == [[0, 1]]
    assert residual(x, np.array([[1.0, 0.0], [0.0, 1.0]]), ones)["hidden"][1].tolist() == [[0, 1]]
    assert smooth_l1_loss(x, x, 1.0)["x"][1].tolist() == [[0, 0]]


@pytest.mark.torch
def test_adam_agrees_with_torch_over_three_steps():
    import torch as t

    param, *gradients = draw("adam", (3, 4), (3, 4), (3, 4), (3, 4))
    theirs = t.nn.Parameter(t.tensor(param))
    optimizer = t.optim.Adam([theirs], lr=0.1, betas=(0.8, 0.95), eps=1e-3)
    m, v = np.zeros_like(param), np.zeros_like(param)
    for step, grad in enumerate(gradients, 1):
        named = adam(param, grad, m, v, step, 0.1, (0.8, 0.95), 1e-3)
        theirs.grad = t.tensor(grad)
        before = theirs.detach().clone()
        optimizer.step()
        state = optimizer.state[theirs]
        param, m, v = (named[key][0] for key in ("new_param", "m", "v"))
        assert difference(m, state["exp_avg"]) < LARGEST
        assert difference(v, state["exp_avg_sq"]) < LARGEST
        assert difference(named["m_hat"][0], state["exp_avg"] / (1 - 0.8**step)) < LARGEST
        assert difference(named["v_hat"][0], state["exp_avg_sq"] / (1 - 0.95**step)) < LARGEST
        assert difference(named["change"][0], before - theirs.detach()) < LARGEST
        assert difference(param, theirs.detach()) < LARGEST


OWN_NAMES = {"kernel": "kernel_size"}
"""Options that `numpynet.functional` calls by another name."""


def by_functional(function, x, parameters, options, draw_dout):
    """What `numpynet.functional` gives: out, dout, and the gradients in the order of the inputs."""
    if function == "residual":
        hidden, linear_cache = F.linear(x, *parameters)
        branch, relu_cache = F.relu(hidden)
        dout = draw_dout(x.shape)
        dx, dweight, _ = F.linear_backward(F.relu_backward(dout, relu_cache), linear_cache)
        return x + branch, dout, [dout + dx, dweight]
    forward, backward = getattr(F, function), getattr(F, f"{function}_backward")
    out, cache = forward(x, *parameters, **{OWN_NAMES.get(key, key): value for key, value in options.items()})
    dout = draw_dout(out.shape)
    gradients = backward(dout, cache)
    return out, dout, list(gradients) if isinstance(gradients, tuple) else [gradients]


@pytest.mark.parametrize("name", CASES)
def test_the_short_way_gives_the_same(name):
    """The functions that run in the networks, against the long way."""
    ours, _, shapes, options = CASES[name]
    x, *parameters = draw(name, *shapes.values())
    function = name.split("-")[0].removesuffix("_scatter").removesuffix("_rotated")
    if function.endswith("_loss"):
        staged = ours(x, **options)
        out, _, gradients = by_functional(function, x, [], options, lambda shape: 1.0)
        assert difference(staged["loss"][0], out) < LARGEST
    else:
        draw_dout = lambda shape: draw(f"short dout of {name}", shape)[0]  # noqa: E731
        out, dout, gradients = by_functional(function, x, parameters, options, draw_dout)
        staged = ours(x, *parameters, **options, dout=dout)
        assert difference(staged["out"][0], out) < LARGEST
    for key, gradient in zip(shapes, gradients, strict=True):
        assert difference(staged[key][1], gradient) < LARGEST, key
