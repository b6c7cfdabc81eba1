"""Schedules: the learning rate as a function of the step alone, so that a resumed run continues exactly."""

import math
from collections.abc import Callable

from numpynet.checks import number, whole

Schedule = Callable[[int], float]
"""Gives the learning rate of optimizer step i = 0, 1, ...; after the last step it stays what it was."""


def constant(lr: float) -> Schedule:
    """The same rate at every step."""
    lr = number(lr, "constant: lr", least=0)
    return lambda step: lr


def one_cycle(
    max_lr: float, steps: int, warmup: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4
) -> Schedule:
    """Half a cosine up from max_lr / div_factor to max_lr, then half a cosine down to start / final_div_factor.

    warmup: the fraction of the `steps` that goes up. The peak is at step warmup * steps - 1, which need not be whole.

    Smith and Topin 2018, as torch.optim.lr_scheduler.OneCycleLR with cosine annealing and a constant momentum.
    ValueError if an argument is out of range.
    """
    number(max_lr, "one_cycle: max_lr", least=0)
    _check_steps("one_cycle", steps, warmup)
    number(div_factor, "one_cycle: div_factor", above=0)
    number(final_div_factor, "one_cycle: final_div_factor", above=0)
    first = max_lr / div_factor
    last = first / final_div_factor
    peak = warmup * steps - 1

    def schedule(step: int) -> float:
        step = min(whole(step, "step", 0), steps - 1)
        if step <= peak:
            return _half_cosine(first, max_lr, step / peak if peak > 0 else 1.0)
        return _half_cosine(max_lr, last, (step - peak) / (steps - 1 - peak))

    return schedule


def cosine(max_lr: float, steps: int, warmup: float = 0.05, min_lr: float = 0.0) -> Schedule:
    """A straight line up to max_lr, then half a cosine down towards min_lr (Loshchilov and Hutter 2017)::

        max_lr (i + 1) / (W + 1)                                              if i < W = round(warmup * steps)
        min_lr + (max_lr - min_lr) (1 + cos(pi (i - W) / (steps - W))) / 2    else

    It would reach min_lr one step after the last: a last step with a rate of 0 would change nothing. In PyTorch:
    SequentialLR of LinearLR(start_factor=1 / (W + 1), total_iters=W) and CosineAnnealingLR(T_max=steps - W).
    ValueError if an argument is out of range.
    """
    number(max_lr, "cosine: max_lr", least=0)
    number(min_lr, "cosine: min_lr", least=0)
    _check_steps("cosine", steps, warmup)
    if min_lr > max_lr:
        raise ValueError(f"cosine: min_lr must be at most max_lr = {max_lr}, got {min_lr}")
    warmup_steps = round(warmup * steps)

    def schedule(step: int) -> float:
        step = min(whole(step, "step", 0), steps - 1)
        if step < warmup_steps:
            return max_lr * (step + 1) / (warmup_steps + 1)
        return _half_cosine(max_lr, min_lr, (step - warmup_steps) / (steps - warmup_steps))

    return schedule


def _half_cosine(start: float, end: float, progress: float) -> float:
    """From `start` (progress 0) to `end` (progress 1), with slope 0 at both."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def _check_steps(name: str, steps: int, warmup: float) -> None:
    whole(steps, f"{name}: steps")
    number(warmup, f"{name}: warmup", least=0, most=1)
