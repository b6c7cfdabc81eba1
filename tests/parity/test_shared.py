"""A network that uses one layer or one weight under two names learns as PyTorch's does."""

import numpy as np
import pytest
import torch
from torch import nn

from numpynet import SGD, Adam, AdamW, Linear, ReLU, Sequential
from tests.parity.helper import seeded


@pytest.mark.parametrize(
    ("ours", "theirs"), [(SGD, torch.optim.SGD), (Adam, torch.optim.Adam), (AdamW, torch.optim.AdamW)]
)
@pytest.mark.parametrize("tied", ["layer", "weight"])
def test_steps(tied, ours, theirs):
    rng = seeded("shared")
    first, last = Linear(4, 4, rng=0).astype(np.float64), Linear(4, 4, rng=1).astype(np.float64)
    one, two = nn.Linear(4, 4).double(), nn.Linear(4, 4).double()
    for layer, twin in ((first, one), (last, two)):
        twin.load_state_dict({key: torch.tensor(array) for key, array in layer.state_dict().items()})
    if tied == "layer":
        last, two = first, one
    else:
        last.weight, two.weight = first.weight, one.weight
    net, torch_net = Sequential(first, ReLU(), last, first), nn.Sequential(one, nn.ReLU(), two, one)
    assert [name for name, _ in net.named_parameters()] == [name for name, _ in torch_net.named_parameters()]
    assert list(net.state_dict()) == list(torch_net.state_dict())
    assert len(list(net.modules())) == len(list(torch_net.modules()))
    optimizer, torch_optimizer = ours(net.parameters(), lr=0.05), theirs(torch_net.parameters(), lr=0.05)
    for _ in range(4):
        x, dout = rng.standard_normal((2, 3, 4))
        _, cache = net.forward(x)
        net.backward(dout, cache)
        torch_optimizer.zero_grad()
        torch_net(torch.from_numpy(x)).backward(torch.from_numpy(dout))
        optimizer.step()
        optimizer.zero_grad()
        torch_optimizer.step()
    for key, tensor in torch_net.state_dict().items():
        np.testing.assert_allclose(net.state_dict()[key], tensor.numpy(), rtol=1e-9, atol=1e-12, err_msg=key)
