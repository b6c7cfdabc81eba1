"""Checks for mistakes that are in no gradient, so that gradcheck has no case for them.

Each check runs the functions that numpynet calls now, and returns what is wrong, one line each.
"""

import math
from collections.abc import Callable

import numpy as np

from numpynet import functional as F
from numpynet.gradcheck.cases import CASES
from numpynet.layers import Linear
from numpynet.learn.plant import bugs, planted
from numpynet.losses import MSELoss
from numpynet.optim import SGD
from numpynet.training import Trainer


def adam() -> list[str]:
    """Three steps of adam_update beside algorithm 1 of Kingma and Ba 2015, written with plain numbers."""
    lr, beta1, beta2, eps = 0.1, 0.9, 0.999, 1e-8
    param, exp_avg, exp_avg_sq = np.array([2.0]), np.zeros(1), np.zeros(1)
    theta, m, v = 2.0, 0.0, 0.0
    wrong = []
    for t, g in enumerate((0.5, -2.0, 0.25), 1):
        F.adam_update(param, np.array([g]), exp_avg, exp_avg_sq, t, lr, (beta1, beta2), eps, 0.0)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        theta -= lr * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + eps)
        if not math.isclose(param[0], theta, rel_tol=1e-9):
            wrong.append(f"step {t}, gradient {g:+.2f}: param is {param[0]:.6f}, algorithm 1 gives {theta:.6f}")
    return wrong


def zero_grad() -> list[str]:
    """Two steps of train_step on one weight, computed by hand: the second must not see the first one's gradient."""
    net = Linear(1, 1, bias=False, dtype=np.float64)
    net.weight.data[...] = 1.0
    trainer = Trainer(net, MSELoss(), SGD(net.parameters(), lr=0.25))
    image, target = np.ones((1, 1)), np.zeros((1, 1))
    wrong, weight = [], 1.0
    for step in (1, 2):
        trainer.train_step(image, target)
        gradient = 2 * weight  # the loss is weight^2
        weight -= 0.25 * gradient
        found = float(net.weight.data[0, 0])
        if found != weight:
            wrong.append(
                f"step {step}: the weight is {found:+.4f}, and {weight:+.4f} if its gradient is {gradient:.2f}"
            )
    return wrong


def cotangent() -> list[str]:
    """The check of gradcheck's cases must accept right gradients, and refuse two wrong ones."""
    rights = [f"calls the right {case} wrong" for case in ("linear", "relu", "batch_norm") if not _accepts(case)]
    wrongs = []
    for name in ("relu_drops_upstream", "batch_norm_no_gamma"):
        bug = bugs()[name]
        with planted(bug):
            if _accepts(bug.case):
                wrongs.append(f"accepts a wrong one: {bug.title}")
    return wrongs + rights


def _accepts(case: str) -> bool:
    return all(finding.passed for finding in CASES[case](np.random.default_rng(0)))


CHECKS: dict[str, Callable[[], list[str]]] = {"adam": adam, "zero_grad": zero_grad, "cotangent": cotangent}
