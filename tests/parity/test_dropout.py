"""dropout with a given mask beside the same arithmetic in PyTorch, whose own dropout draws masks of its own."""

import numpy as np
import pytest
import torch
from torch import nn

from numpynet import Dropout
from numpynet.functional import dropout, dropout_backward
from reference.comparison import PlayedDropout
from tests.parity.helper import both_dtypes, check, compare, seeded


@both_dtypes
@pytest.mark.parametrize("p", [0.0, 0.25, 0.4, 0.9])
@pytest.mark.parametrize("shape", [(4, 30), (1, 7), (2, 3, 4, 5)])
def test_function(shape, p, dtype):
    rng = seeded(shape, p)
    mask = rng.random(shape) >= p

    def ours(x):
        return dropout(x, p, mask=mask)

    def theirs(x):
        return x * torch.from_numpy(mask).to(x.dtype) / (1 - p)

    check("dropout", ours, dropout_backward, theirs, [rng.standard_normal(shape)], dtype)


@both_dtypes
def test_p_1_forgets_everything(dtype):
    check("dropout", dropout, dropout_backward, torch.nn.functional.dropout, [np.ones((3, 4))], dtype, p=1.0)


@both_dtypes
def test_layer_used_twice_and_played_back(dtype):
    """Two passes of one layer draw two masks. Each cache keeps its own, and PlayedDropout plays both in turn."""
    layer, rng = Dropout(0.4, rng=3), seeded("played")
    x = rng.standard_normal((6, 50)).astype(dtype)
    first, first_cache = layer.forward(x)
    second, second_cache = layer.forward(first)
    assert first_cache is not None
    assert second_cache is not None
    assert not np.array_equal(first_cache.mask, second_cache.mask)
    cotangent = rng.standard_normal(x.shape).astype(dtype)
    dx = layer.backward(layer.backward(cotangent, second_cache), first_cache)

    twin, tensor = PlayedDropout(0.4), torch.tensor(x, requires_grad=True)
    twin.masks = [first_cache.mask, second_cache.mask]
    out = twin(twin(tensor))
    out.backward(torch.from_numpy(cotangent))
    compare("dropout", "output", "out", second, out.detach().numpy())
    assert tensor.grad is not None
    compare("dropout", "gradient", "dx", dx, tensor.grad.numpy())


def test_the_shares_are_those_of_pytorch():
    """As in torch.nn.Dropout, a share p of the numbers is dropped and the rest scaled; which ones is chance."""
    x = np.ones((200, 500), np.float32)
    ours = Dropout(0.4, rng=0)(x)
    theirs = nn.Dropout(0.4)(torch.from_numpy(x)).numpy()
    assert np.unique(ours) == pytest.approx(np.unique(theirs), rel=1e-6)
    assert (ours == 0).mean() == pytest.approx(0.4, abs=0.01)  # its standard deviation is 0.0015
