"""The two functions that the learning area adds: batch norm line by line, and the training step."""

import numpy as np
import pytest

from numpynet import functional as F
from numpynet.gradcheck import numerical_gradient
from numpynet.layers import Linear, ReLU
from numpynet.learn.exercises import solutions
from numpynet.losses import SmoothL1Loss
from numpynet.module import Sequential
from numpynet.optim import Adam
from numpynet.training import Trainer
from tests.seeds import seeded


def test_batch_norm_staged_is_the_short_form():
    rng = seeded("staged forward")
    x, weight, bias = 3 + rng.standard_normal((6, 4)), rng.standard_normal(4), rng.standard_normal(4)
    out, _ = solutions.batch_norm_staged(x, weight, bias, 1e-3)
    np.testing.assert_allclose(out, F.batch_norm(x, weight, bias, eps=1e-3)[0], rtol=1e-12, atol=1e-14)


# Each variable, and the output as a function of it alone: the lines of the forward pass that come after it.
LINES = {
    "dx_hat": lambda v, k, x: k["weight"] * v,
    "dstd": lambda v, k, x: k["weight"] * k["centred"] / v,
    "dvar": lambda v, k, x: k["weight"] * k["centred"] / np.sqrt(v + 0.1),
    "dcentred": lambda v, k, x: k["weight"] * v / np.sqrt(np.square(v).mean(axis=0) + 0.1),
    "dmean": lambda v, k, x: k["weight"] * (x - v) / np.sqrt(np.square(x - v).mean(axis=0) + 0.1),
    "dx": lambda v, k, x: solutions.batch_norm_staged(v, k["weight"], np.zeros(3), 0.1)[0],
    "dweight": lambda v, k, x: v * k["x_hat"],
    "dbias": lambda v, k, x: k["weight"] * k["x_hat"] + v,
}


@pytest.mark.parametrize("name", LINES)
def test_each_gradient_of_batch_norm_staged_is_the_numerical_one(name):
    rng = seeded("staged backward")
    x, weight, dout = rng.standard_normal((5, 3)), rng.standard_normal(3), rng.standard_normal((5, 3))
    _, kept = solutions.batch_norm_staged(x, weight, np.zeros(3), 0.1)
    gradients = solutions.batch_norm_backward_staged(dout, kept)
    variable = {"dx": x, "dbias": np.zeros(3)}.get(name, kept.get(name[1:])).copy()
    numeric = numerical_gradient(lambda: LINES[name](variable, kept, x), variable, dout)
    np.testing.assert_allclose(gradients[name], numeric, rtol=1e-6, atol=1e-8)


def test_train_step_is_the_trainers():
    rng = seeded("train_step")
    images, targets = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))

    def made():
        net = Sequential(Linear(3, 5, rng=0, dtype=np.float64), ReLU(), Linear(5, 2, rng=1, dtype=np.float64))
        return net, SmoothL1Loss(), Adam(net.parameters(), lr=0.1)

    mine, theirs = made(), made()
    trainer = Trainer(*theirs)
    for _ in range(3):
        assert solutions.train_step(*mine, images, targets) == trainer.train_step(images, targets)
    for key, array in theirs[0].state_dict().items():
        np.testing.assert_array_equal(mine[0].state_dict()[key], array)
