"""Compares the fast implementation with the readable one; the parity tests use PyTorch (NUMPYNET_OPS=fast)."""

import numpy as np
import pytest

from numpynet import Adam, KeypointNet, Linear, SmoothL1Loss, functional, kernels, use
from numpynet.kernels.buffers import LINE
from numpynet.kernels.factors import Factors
from numpynet.kernels.linear import MOST_IMAGES, TILE


def test_both_have_the_same_names():
    """Kernels export no types, since some of them have their own caches."""
    types = {name for name in functional.__all__ if isinstance(getattr(functional, name), type)}
    assert set(kernels.__all__) == set(functional.__all__) - types


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_learns_the_same(dtype):
    """Five steps of Adam: losses, weights and running statistics. The gradient of a bias before a batch norm is only
    rounding noise, which Adam turns into full steps: these biases and the means that they shift are not compared."""
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    losses, states = [], []
    for name in ("readable", "fast"):
        with use(name):
            net = KeypointNet.compact(size=48, channels=(6, 8), hidden=(40,), rng=0).astype(dtype)
            optimizer, criterion = Adam(net.parameters(), lr=1e-4), SmoothL1Loss()
            rng = np.random.default_rng(1)
            for _ in range(5):
                images, targets = rng.random((6, 1, 48, 48)).astype(dtype), rng.standard_normal((6, 136)).astype(dtype)
                out, cache = net.forward(images)
                loss, dout = criterion(out, targets)
                net.backward(dout, cache)
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss)
            states.append({key: array.copy() for key, array in net.state_dict().items()})
    np.testing.assert_allclose(losses[5:], losses[:5], rtol=tolerance)
    noise = {key for key in states[0] if key.endswith(".bias") and key.replace(".bias", "_bn.bias") in states[0]}
    noise |= {key.replace(".bias", "_bn.running_mean") for key in noise}
    assert len(noise) == 6
    for key, readable in states[0].items():
        if key in noise:
            continue
        scale = max(1e-3, float(np.abs(readable).max()))
        assert np.abs(states[1][key] - readable).max() <= tolerance * scale, key


@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_of_many_strips(stride, padding):
    """Large enough to unfold an image in several strips, of which the last is shorter."""
    rng = np.random.default_rng(2)
    x, weight = rng.standard_normal((2, 24, 61, 90)), rng.standard_normal((5, 24, 3, 2))
    (out, cache), (wanted, readable) = (f.conv2d(x, weight, None, stride, padding) for f in (kernels, functional))
    np.testing.assert_allclose(out, wanted, rtol=1e-10, atol=1e-10)
    dout = rng.standard_normal(out.shape)
    gradients = zip(kernels.conv2d_backward(dout, cache), functional.conv2d_backward(dout, readable), strict=True)
    for gradient, expected in list(gradients)[:2]:
        np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("images", [1, 2, 5, 65])
@pytest.mark.parametrize("features", [(1033, 1031), (401, 2 * TILE + 77)])
def test_linear_in_blocks(images, features):
    """Large enough for several threads and tiles, and no multiple of their size; BLAS computes the last case."""
    rng = np.random.default_rng(3)
    outputs, inputs = features
    x, weight = rng.standard_normal((images, inputs)), rng.standard_normal((outputs, inputs))
    bias = rng.standard_normal(outputs)
    out, cache = kernels.linear(x, weight, bias)
    np.testing.assert_allclose(out, x @ weight.T + bias, rtol=1e-10, atol=1e-10)
    dout = rng.standard_normal(out.shape)
    dx, dweight, dbias = kernels.linear_backward(dout, cache)
    assert isinstance(dweight, Factors) == (images <= MOST_IMAGES)
    np.testing.assert_allclose(dx, dout @ weight, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(dweight, dout.T @ x, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dbias, dout.sum(axis=0), rtol=1e-12)


def test_blas_keeps_to_one_thread_while_the_kernels_run_and_gets_its_threads_back():
    from threadpoolctl import threadpool_info

    def blas():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with use("readable"):
        before = blas()
        with use("fast"):
            assert set(blas()) == {1}
        assert blas() == before


def test_weights_and_moments_start_at_a_cache_line_under_the_fast_kernels():
    with use("fast"):
        layer = Linear(33, 31, rng=0)
        optimizer = Adam(layer.parameters())
        layer.backward(*layer.forward(np.ones((2, 33), np.float32)))
        optimizer.step()
    state = {key: array for key, array in optimizer.state_dict().items() if array.ndim}
    assert len(state) == 4
    for array in (layer.weight.data, layer.bias.data, *state.values()):
        assert array.ctypes.data % LINE == 0
    assert not np.array_equal(layer.weight.data, Linear(33, 31, rng=0).weight.data), "a step was made"
    first = kernels.zeros((5000,), np.float32)
    first += 1
    del first
    assert (kernels.zeros((5000,), np.float32) == 0).all()
