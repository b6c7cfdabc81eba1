"""Every tensor of the one-point net of the learning area beside PyTorch: the numbers are equal."""

import numpy as np
import torch

from numpynet.learn import one_point
from tests.learn.test_one_point import BACKWARD, FORWARD


def test_every_tensor_equals_pytorchs():
    found = one_point.tensors()
    theirs = {name: torch.tensor(found[name], requires_grad=True) for name in FORWARD if "weight" in name}
    theirs |= {name: torch.tensor(found[name], requires_grad=True) for name in FORWARD if "bias" in name}
    theirs["x"] = torch.tensor(one_point.PICTURE, requires_grad=True)
    theirs["conv.out"] = torch.nn.functional.conv2d(theirs["x"], theirs["conv.weight"], theirs["conv.bias"])
    theirs["relu.out"] = theirs["conv.out"].relu()
    theirs["pool.out"] = torch.nn.functional.max_pool2d(theirs["relu.out"], 2, stride=1)
    theirs["flatten.out"] = theirs["pool.out"].flatten(1)
    theirs["out"] = torch.nn.functional.linear(theirs["flatten.out"], theirs["linear.weight"], theirs["linear.bias"])
    theirs["target"] = torch.tensor([[3.0, 2.0]], dtype=torch.float64)
    theirs["loss"] = torch.nn.functional.smooth_l1_loss(theirs["out"], theirs["target"])
    for tensor in theirs.values():
        if tensor.requires_grad:
            tensor.retain_grad()
    theirs["loss"].backward()
    for name in FORWARD:
        np.testing.assert_array_equal(found[name], theirs[name].detach(), name)
    for name in BACKWARD:
        of = {"dx": "x", "dout": "out"}.get(name) or name.removesuffix(".grad")
        of = f"{of[1:]}.out" if of.startswith("d") else of
        np.testing.assert_array_equal(found[name], theirs[of].grad, name)
