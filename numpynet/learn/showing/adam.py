"""`adam`: SGD, momentum and Adam on two weights, with every intermediate of Adam by name."""

import argparse
import math
from typing import NamedTuple

import numpy as np

from numpynet.functional.adam import adam_update
from numpynet.functional.sgd import sgd_update
from numpynet.learn.errors import LearnError
from numpynet.typing import Array

BETAS = (0.9, 0.999)
MOMENTUM = 0.9
START = np.array([1.0, 1.0])
CURVATURE = np.array([16.0, 0.25])
"""The loss is sum(CURVATURE * w^2) / 2, a valley that is steep along w[0] and flat along w[1]."""
TOLERANCE = 1e-12


class Step(NamedTuple):
    """One step of Adam for one weight, by the names of the equations; `w` is the weight after it."""

    g: float
    m: float
    v: float
    m_hat: float
    v_hat: float
    move: float
    w: float


def gradient(w: Array) -> Array:
    """The slope of the loss for each weight."""
    return CURVATURE * w


def plain_adam(w: float, curvature: float, steps: int, lr: float, eps: float) -> list[Step]:
    """Adam for one weight, one line per equation, with plain numbers."""
    beta1, beta2 = BETAS
    m = v = 0.0
    rows = []
    for t in range(1, steps + 1):
        g = curvature * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        move = -lr * m_hat / (math.sqrt(v_hat) + eps)
        w = w + move
        rows.append(Step(g, m, v, m_hat, v_hat, move, w))
    return rows


def real_adam(steps: int, lr: float, eps: float) -> list[Array]:
    """Both weights after each step of `adam_update`, which `numpynet.Adam` calls."""
    w, m, v = START.copy(), np.zeros(2), np.zeros(2)
    path = []
    for t in range(1, steps + 1):
        adam_update(w, gradient(w), m, v, t, lr, BETAS, eps, 0.0)
        path.append(w.copy())
    return path


def real_sgd(steps: int, lr: float, momentum: float) -> list[Array]:
    """Both weights after each step of `sgd_update`, which `numpynet.SGD` calls."""
    w, velocity = START.copy(), None
    path = []
    for _ in range(steps):
        velocity = sgd_update(w, gradient(w), velocity, lr, momentum, 0.0, 0.0, False)
        path.append(w.copy())
    return path


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lr", type=float, default=0.1, help="learning rate (default 0.1)")
    parser.add_argument("--eps", type=float, default=1e-8, help="Adam's eps (default 1e-8)")
    parser.add_argument("--steps", type=int, default=3, help="number of steps, 1 to 50 (default 3)")


def run(options: argparse.Namespace) -> int:
    lr, eps, steps = options.lr, options.eps, options.steps
    for name, value in (("lr", lr), ("eps", eps)):
        if not 0 < value <= 10:
            raise LearnError(f"--{name} must be above 0 and at most 10, got {value:g}")
    if not 1 <= steps <= 50:
        raise LearnError(f"--steps must be from 1 to 50, got {steps}")
    tables = [plain_adam(START[i], CURVATURE[i], steps, lr, eps) for i in range(2)]
    real = real_adam(steps, lr, eps)
    print("Two weights, both at 1. The loss is (16 w[0]^2 + 0.25 w[1]^2) / 2, so g is (16 w[0], 0.25 w[1]).")
    print(f"Adam with lr {lr:g}, betas {BETAS}, eps {eps:g}:\n")
    print("  m = 0.9 m + 0.1 g         m_hat = m / (1 - 0.9^t)      move = -lr m_hat / (sqrt(v_hat) + eps)")
    print("  v = 0.999 v + 0.001 g^2   v_hat = v / (1 - 0.999^t)    w = w + move")
    for i, table in enumerate(tables):
        print(f"\nw[{i}]  t" + "".join(f"{name:>12}" for name in Step._fields))
        for t, row in enumerate(table, 1):
            print(f"{t:7}" + "".join(f"{_number(value):>12}" for value in row))
    apart = max(abs(table[t].w - real[t][i]) for i, table in enumerate(tables) for t in range(steps))
    print(f"\nLargest difference from numpynet.functional.adam_update: {apart:.1e}")
    print("First move of each weight (with an eps of 0 it would be -lr sign(g), whatever the size of g):")
    for i, table in enumerate(tables):
        print(f"  w[{i}]: g = {table[0].g:<5g} move = {table[0].move:+.9f}   SGD's move = {-lr * table[0].g:+g}")
    _beside(steps, lr, real)
    return 0 if apart < TOLERANCE else 1


def _beside(steps: int, lr: float, adam: list[Array]) -> None:
    paths = {"SGD": real_sgd(steps, lr, 0.0), f"SGD, momentum {MOMENTUM}": real_sgd(steps, lr, MOMENTUM), "Adam": adam}
    print(f"\nThe same valley with the same lr {lr:g}:\n")
    print("  t" + "".join(f"{name:>31}" for name in paths))
    print("   " + f"{'w[0]':>11}{'w[1]':>10}{'loss':>10}" * 3)
    for t in range(steps):
        row = "".join(
            f"{_number(path[t][0]):>11}{_number(path[t][1]):>10}{_number(float(CURVATURE @ path[t] ** 2) / 2):>10}"
            for path in paths.values()
        )
        print(f"{t + 1:3}{row}")
    print("\nThe gradient of w[0] is 64 times that of w[1] at the start, and so is SGD's first move.")
    print("Adam divides by sqrt(v_hat), the gradient's own size: with a small eps it moves both weights alike.")


def _number(value: float) -> str:
    return f"{value:.5g}" if abs(value) < 100_000 else f"{value:.2e}"
