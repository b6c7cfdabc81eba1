"""One step of Adam with every number named. An optimizer is not differentiated: nothing here has a gradient."""

import numpy as np

from numpynet.learn.derivations.staged import Staged
from numpynet.typing import Array


def adam(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> Staged:
    """Step number `step`, from 1; exp_avg and exp_avg_sq are m and v after the step before. All shapes alike."""
    beta1, beta2 = betas
    m = beta1 * exp_avg + (1 - beta1) * grad
    v = beta2 * exp_avg_sq + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    change = lr * m_hat / (np.sqrt(v_hat) + eps)
    new = param - change
    named = {"param": param, "grad": grad, "m": m, "v": v, "m_hat": m_hat, "v_hat": v_hat}
    named |= {"change": change, "new_param": new}
    return {name: (value, None) for name, value in named.items()}
