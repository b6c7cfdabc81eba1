"""Rules that are no gradients: Adam's update against its formula, and a training step's use of the gradient.

A finding's `analytic` is what the code made, its `numeric` what the formula, or a numerical gradient, says.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from numpynet import functional as F
from numpynet.functional.adam import check_rule
from numpynet.gradcheck.causes import Hints, Suspect
from numpynet.gradcheck.diagnosis import Finding, examine
from numpynet.gradcheck.numeric import numerical_gradient
from numpynet.layers import Linear
from numpynet.losses import SmoothL1Loss
from numpynet.optim import SGD
from numpynet.training import Trainer
from numpynet.typing import Array

Rng = np.random.Generator


def adam_update(
    rng: Rng, *, steps: int = 3, size: int = 4, lr: float = 0.1, beta1: float = 0.9, beta2: float = 0.99,
    eps: float = 0.1, weight_decay: float = 0.01, decoupled: bool = False,
) -> list[Finding]:  # fmt: skip
    """`adam_update` against the published formula, number by number, after each of a few steps.

    It is no gradient, so no finite difference can check it. eps is large here, for its place to matter.
    """
    check_rule("adam_update", lr, (beta1, beta2), eps, weight_decay)
    param, grads = rng.standard_normal(size), rng.standard_normal((steps, size))
    by_formula = partial(
        _adam, param.tolist(), lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, decoupled=decoupled
    )
    ours = {"param": param.copy(), "exp_avg": np.zeros(size), "exp_avg_sq": np.zeros(size)}
    findings = []
    for t, grad in enumerate(grads, 1):
        given = grad.copy()
        F.adam_update(
            ours["param"],
            given,
            ours["exp_avg"],
            ours["exp_avg_sq"],
            t,
            lr,
            (beta1, beta2),
            eps,
            weight_decay,
            decoupled,
        )
        for name, wanted in by_formula(grads[:t]).items():
            hints = Hints(suspects=partial(_adam_mistakes, partial(by_formula, grads[:t]), name))
            findings.append(examine(f"{name} after step {t}", ours[name].copy(), wanted, hints=hints))
    return findings


def _adam(
    param: list[float], grads: Array, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float,
    decoupled: bool, mistake: str = "",
) -> dict[str, Array]:  # fmt: skip
    """Kingma and Ba 2015, algorithm 1, with Python's numbers; `mistake` is one to make."""
    result = []
    for p, of_one in zip(param, grads.T.tolist(), strict=True):
        m = v = 0.0
        for t, g in enumerate(of_one, 1):
            if decoupled:
                p = p - lr * weight_decay * p
            elif mistake != "decay":
                g = g + weight_decay * p
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g * g
            power = 1 if mistake == "power" else t
            m_hat = m if mistake in ("correction", "first") else m / (1 - beta1**power)
            v_hat = v if mistake in ("correction", "second") else v / (1 - beta2**power)
            length = math.sqrt(v_hat + eps) if mistake == "root" else math.sqrt(v_hat) + eps
            p = p + lr * m_hat / length if mistake == "sign" else p - lr * m_hat / length
        result.append((p, m, v))
    return {name: np.array(values) for name, *values in zip(("param", "exp_avg", "exp_avg_sq"), *result, strict=True)}


def _adam_mistakes(by_formula: Callable[..., dict[str, Array]], name: str) -> Iterator[Suspect]:
    for mistake, words in {
        "correction": "no bias correction: divide m by 1 - beta1^t, and v by 1 - beta2^t",
        "first": "m is not corrected: divide it by 1 - beta1^t",
        "second": "v is not corrected: divide it by 1 - beta2^t",
        "power": "the correction lacks its ^t: 1 - beta^t, not 1 - beta",
        "root": "eps stands inside the root: sqrt(v_hat) + eps, not sqrt(v_hat + eps)",
        "sign": "the step goes uphill: subtract it",
        "decay": "the weight decay is left out",
    }.items():
        yield words, by_formula(mistake=mistake)[name]


def train_step(rng: Rng, *, steps: int = 3, batch: int = 4, inputs: int = 5, outputs: int = 2) -> list[Finding]:
    """That each training step uses the gradient of its own batch alone, and goes against it.

    Plain SGD moves a parameter by -lr times the gradient that it is given: (before - after) / lr is this gradient.
    """
    net = Linear(inputs, outputs, rng=rng).astype(np.float64)
    criterion, lr = SmoothL1Loss(), 0.1
    trainer = Trainer(net, criterion, SGD(net.parameters(), lr=lr))
    parameters = dict(net.named_parameters())
    past = {name: np.zeros_like(p.data) for name, p in parameters.items()}
    findings = []
    for t in range(1, steps + 1):
        images, targets = rng.standard_normal((batch, inputs)), rng.standard_normal((batch, outputs))

        def loss(x: Array = images, y: Array = targets) -> Array:
            return np.array(criterion(net(x), y)[0])

        numeric = {name: numerical_gradient(loss, p.data, np.array(1.0)) for name, p in parameters.items()}
        before = {name: p.data.copy() for name, p in parameters.items()}
        trainer.train_step(images, targets)
        for name, p in parameters.items():
            used = (before[name] - p.data) / lr
            hints = Hints(suspects=partial(_forgotten, past[name] + numeric[name]))
            findings.append(examine(f"d{name} used by step {t}", used, numeric[name], hints=hints))
            past[name] = past[name] + numeric[name]
    return findings


def _forgotten(summed: Array) -> Iterator[Suspect]:
    yield "the gradients of the steps before are still in it: zero_grad is missing", summed
