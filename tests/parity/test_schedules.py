"""The learning rates of the schedules beside those of torch.optim.lr_scheduler, at every step."""

import warnings

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from numpynet.schedules import cosine, one_cycle
from tests.parity.helper import compare


def rates(steps, scheduler_of, lr):
    """The learning rate of PyTorch's optimizer at each of the steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = scheduler_of(optimizer)
    found = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps - 1):
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # SequentialLR steps in a way that is deprecated
            scheduler.step()
        found.append(optimizer.param_groups[0]["lr"])
    return np.array(found)


@pytest.mark.parametrize(
    ("max_lr", "steps", "options"),
    [
        (1e-2, 100, {}),
        (1e-2, 97, {}),
        (3.0, 7, {"warmup": 0.5}),
        (1e-3, 50, {"warmup": 0.0}),
        (1e-3, 50, {"warmup": 1.0}),
        (1e-3, 33, {"warmup": 0.01}),
        (0.5, 1000, {"warmup": 0.123, "div_factor": 7.0, "final_div_factor": 3.0}),
        (0.5, 20, {"div_factor": 1.0, "final_div_factor": 1e6}),
        (0.5, 1, {}),
        (0.5, 2, {}),
    ],
)
def test_one_cycle(max_lr, steps, options):
    ours = one_cycle(max_lr, steps, **options)
    theirs = {"pct_start": options.get("warmup", 0.3)} | {k: v for k, v in options.items() if k != "warmup"}
    wanted = rates(
        steps,
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, max_lr, steps, cycle_momentum=False, **theirs),
        lr=1.0,
    )
    compare("one_cycle", "output", "rates", np.array([ours(i) for i in range(steps)]), wanted)


@pytest.mark.parametrize(
    ("max_lr", "steps", "warmup", "min_lr"),
    [(1e-3, 100, 0.05, 0.0), (0.2, 97, 0.13, 0.01), (3.0, 10, 0.5, 1.0), (3.0, 40, 0.0, 0.0), (0.1, 30, 0.01, 0.1)],
)
def test_cosine(max_lr, steps, warmup, min_lr):
    ours, rise = cosine(max_lr, steps, warmup, min_lr), round(warmup * steps)

    def scheduler_of(optimizer):
        down = lr_scheduler.CosineAnnealingLR(optimizer, steps - rise, min_lr)
        if not rise:
            return down
        up = lr_scheduler.LinearLR(optimizer, start_factor=1 / (rise + 1), total_iters=rise)
        return lr_scheduler.SequentialLR(optimizer, [up, down], [rise])

    wanted = rates(steps, scheduler_of, max_lr)
    compare("cosine", "output", "rates", np.array([ours(i) for i in range(steps)]), wanted)
