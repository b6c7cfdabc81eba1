"""batch_norm, BatchNorm1d and BatchNorm2d beside PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn

from numpynet import BatchNorm1d, BatchNorm2d
from numpynet.dispatch import F
from numpynet.functional import batch_norm, batch_norm_backward
from tests.parity.helper import both_dtypes, check, check_layer, compare, compare_state, seeded

SHAPES = [(4, 6), (3, 3), (2, 3, 5, 4), (1, 3, 5, 4), (5, 1), (3, 1, 2, 2), (4, 4, 1, 1)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def by_batch(x, weight=None, bias=None, **options):
    """PyTorch's batch norm with the statistics of the batch."""
    return torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True, **options)


@both_dtypes
@shapes
@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_function(shape, eps, dtype):
    rng = seeded(shape)
    inputs = [1 + 2 * rng.standard_normal(shape), rng.uniform(0.5, 2, shape[1]), rng.standard_normal(shape[1])]
    check("batch_norm", batch_norm, batch_norm_backward, by_batch, inputs, dtype, eps=eps)


@both_dtypes
@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 1, 1), (1, 4, 2, 1)], ids=str)
def test_function_of_two_numbers_per_channel(shape, dtype):
    """Two numbers always become -1 and 1, and their gradient is zero; only a large eps leaves something to compare."""
    rng = seeded(shape)
    inputs = [rng.standard_normal(shape), rng.uniform(0.5, 2, shape[1]), rng.standard_normal(shape[1])]
    check("batch_norm", batch_norm, batch_norm_backward, by_batch, inputs, dtype, eps=0.3)


@both_dtypes
def test_function_of_numbers_far_from_zero(dtype):
    """Mean 1000, deviation 1: in float32, E[x^2] - E[x]^2 would lose the variance altogether."""
    rng = seeded("far")
    x = 1000 + rng.standard_normal((4, 3, 8, 8))
    out, _ = batch_norm(x.astype(dtype))
    exact, _ = batch_norm(x.astype(dtype).astype(np.float64))
    compare("batch_norm, far", "output", "out", out, exact.astype(dtype))
    expected = by_batch(torch.tensor(x, dtype=torch.float64)).numpy()
    assert np.abs(exact - expected).max() < 1e-3  # the same numbers except for the rounding of x itself


@both_dtypes
@shapes
def test_function_with_given_statistics(shape, dtype):
    rng = seeded(shape, "given")
    x, weight, bias = rng.standard_normal(shape), rng.uniform(0.5, 2, shape[1]), rng.standard_normal(shape[1])
    mean, var = rng.standard_normal(shape[1]).astype(dtype), rng.uniform(0.5, 2, shape[1]).astype(dtype)

    def ours(x, weight, bias):
        return F.batch_norm(x, weight, bias, mean=mean, var=var)

    def theirs(x, weight, bias):
        return torch.nn.functional.batch_norm(x, torch.from_numpy(mean), torch.from_numpy(var), weight, bias)

    check("batch_norm", ours, batch_norm_backward, theirs, [x, weight, bias], dtype)


@both_dtypes
@pytest.mark.parametrize("shape", [(8, 5), (3, 5, 4, 6), (1, 5, 4, 6)], ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"eps": 0.1, "momentum": 0.37},
        {"momentum": None},
        {"momentum": 1.0},
        {"affine": False},
        {"track_running_stats": False},
        {"affine": False, "track_running_stats": False},
    ],
    ids=str,
)
def test_layer_over_three_steps_then_eval(options, shape, dtype):
    ours, theirs = (BatchNorm1d, nn.BatchNorm1d) if len(shape) == 2 else (BatchNorm2d, nn.BatchNorm2d)
    check_layer("BatchNorm", ours(shape[1], **options), theirs(shape[1], **options), shape, dtype, steps=3)


@both_dtypes
def test_a_constant_channel(dtype):
    """The variance is zero: only eps keeps the division finite."""
    layer, twin = BatchNorm2d(2).astype(dtype), nn.BatchNorm2d(2).to(getattr(torch, dtype))
    x = np.full((3, 2, 4, 4), 7, dtype)
    x[:, 1] = seeded("constant").standard_normal((3, 4, 4))
    compare("BatchNorm, constant", "output", "out", layer(x), twin(torch.from_numpy(x)).detach().numpy())
    compare_state("BatchNorm, constant", layer.state_dict(), twin)


def test_one_number_per_channel_is_an_error_in_both():
    x = np.ones((1, 3), np.float32)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm1d(3)(torch.from_numpy(x))
    with pytest.raises(ValueError, match="at least 2"):
        BatchNorm1d(3)(x)
