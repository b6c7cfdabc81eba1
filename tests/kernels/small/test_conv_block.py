"""The block of convolution, batch norm, ReLU and pool."""

from functools import partial

import numpy as np
import pytest

from numpynet import functional
from numpynet.kernels.pixels import images_of
from tests.kernels.small.comparing import conv_block, dtypes, pools, same, unchanged


def block_arguments(random, dtype, bias=True, affine=True, kernel=3):
    """x, weight, bias, scale and shift. Some scales are negative, one shift is far larger than its scale."""
    x, weight = random((3, 2, 7, 9), dtype), random((4, 2, kernel, kernel), dtype)
    scale, shift = np.array([1.2, -0.7, 0.4, 0.02], dtype), np.array([0.1, 0.5, -0.2, 0.9], dtype)
    return x, weight, random(4, dtype) if bias else None, *((scale, shift) if affine else (None, None))


@dtypes
@pools
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(("bias", "affine"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize(("padding", "kernel"), [(0, 3), (1, 3), ((0, 2), 3), ((2, 0), 3), (0, 1)], ids=str)
def test_conv_block(padding, kernel, bias, affine, given, pool, dtype, random, rng):
    arguments = block_arguments(random, dtype, bias, affine, kernel)
    statistics = (random(4, dtype), rng.uniform(0.5, 2, 4).astype(dtype)) if given else (None, None)
    options = {"padding": padding, "eps": 0.03, "pool": pool}
    arrays = [a for a in (*arguments, *statistics) if a is not None]
    out, cache = unchanged(arrays, lambda: conv_block.conv_block(*arguments, *statistics, **options))
    expected, readable = functional.conv_block(*arguments, *statistics, **options)
    same(out, expected, dtype)
    assert given or (out == 0).any()
    assert cache.statistics.elements == readable.statistics.elements
    same(cache.statistics.mean, readable.statistics.mean, dtype)
    same(cache.statistics.var, readable.statistics.var, dtype)
    dout = random(out.shape, dtype)
    wanted = functional.conv_block_backward(dout, readable)
    for input_gradient in (True, False):
        gradients = unchanged((dout, *arrays), partial(conv_block.conv_block_backward, dout, cache, input_gradient))
        assert (gradients.dx is None) == (not input_gradient)
        assert (gradients.dbias is None) == (not bias)
        for name, got in gradients._asdict().items():
            if got is not None:
                same(got, getattr(wanted, name), dtype)


@pools
def test_conv_block_of_one_window(pool, random):
    x, *others = block_arguments(random, np.float64)
    size = 4 if pool else 3
    x = np.ascontiguousarray(x[..., :size, :size])
    out, cache = conv_block.conv_block(x, *others, pool=pool)
    expected, readable = functional.conv_block(x, *others, pool=pool)
    same(out, expected, np.float64)
    assert out.shape == (3, 4, 1, 1)
    dout = random(out.shape, np.float64)
    dx = conv_block.conv_block_backward(dout, cache).dx
    same(dx, functional.conv_block_backward(dout, readable).dx, np.float64)


@pytest.mark.parametrize(("pool", "size"), [(True, (4, 4)), (False, (3, 4)), (False, (4, 3))])
def test_conv_block_of_the_fewest_numbers(pool, size, random):
    """The smallest number that has statistics is two; a pool needs four."""
    x, weight, *others = block_arguments(random, np.float64)
    x = np.ascontiguousarray(x[:1, :, : size[0], : size[1]])
    out, cache = conv_block.conv_block(x, weight, *others, pool=pool)
    expected, readable = functional.conv_block(x, weight, *others, pool=pool)
    same(out, expected, np.float64)
    dout = random(out.shape, np.float64)
    wanted = functional.conv_block_backward(dout, readable)
    same(conv_block.conv_block_backward(dout, cache).dweight, wanted.dweight, np.float64)


@pools
@pytest.mark.parametrize("shift", [0, 0.5])
def test_conv_block_of_a_scale_of_zero(shift, pool, random):
    """The last batch norm of a residual body may begin like this."""
    x, weight, bias, _, _ = block_arguments(random, np.float64)
    arguments = x, weight, bias, np.zeros(4), np.full(4, float(shift))
    out, cache = conv_block.conv_block(*arguments, pool=pool)
    _, readable = functional.conv_block(*arguments, pool=pool)
    dout = random(out.shape, np.float64)
    wanted = functional.conv_block_backward(dout, readable)
    for got, want in zip(conv_block.conv_block_backward(dout, cache), wanted, strict=True):
        same(got, want, np.float64)


@pools
@pytest.mark.parametrize("spread", [1e-3, 1, 1e3])
@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 100), (1, 0.3), (-1e-3, 100), (1e-3, 0.002)])
def test_conv_block_keeps_the_digits_of_a_scale_far_smaller_than_its_shift(scale, shift, spread, pool, random):
    """In float32, 100 + 0.001 x_hat keeps three digits of x_hat: dscale must not be computed from the sum.

    For the same reason float32 finds ties in a window that float64 does not find. So both sum over the same winners.
    """
    x, weight = random((3, 2, 8, 9), np.float64), random((1, 2, 3, 3), np.float64) * spread
    arguments = [x, weight, None, np.array([scale]), np.array([float(shift)])]
    single = [None if a is None else a.astype(np.float32) for a in arguments]
    exact = [None if a is None else a.astype(np.float64) for a in single]
    out, cache = conv_block.conv_block(*single, eps=1e-12, pool=pool)
    _, readable = functional.conv_block(*exact, eps=1e-12, pool=pool)
    if pool:
        readable = readable._replace(
            max_pool2d=readable.max_pool2d._replace(winner=np.ascontiguousarray(images_of(cache.winner)))
        )
    dout = random(out.shape, np.float32)
    got = conv_block.conv_block_backward(dout, cache)
    expected = functional.conv_block_backward(dout.astype(np.float64), readable)
    np.testing.assert_allclose(got.dscale, expected.dscale, rtol=0, atol=2e-5 * np.abs(dout).sum())
