"""Adam: steps of about the same length for every weight, along a smoothed gradient."""

import numpy as np

from numpynet.blocks import blocks
from numpynet.checks import FLOATS, arrays_of, number, of_shape, same_dtype, whole, writeable
from numpynet.typing import Array


def adam_update(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool = False,
) -> None:
    """One step of Adam (Kingma and Ba 2015, algorithm 1), element by element, t = `step` counting from 1::

        g     = grad + weight_decay param
        m     = beta1 m + (1 - beta1) g             running mean of the gradient        (exp_avg)
        v     = beta2 v + (1 - beta2) g^2           running mean of its square          (exp_avg_sq)
        param = param - lr m_hat / (sqrt(v_hat) + eps),
                m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t)

    With `decoupled` decay (AdamW: Loshchilov and Hutter 2019, algorithm 2), g is the gradient alone, and the step
    begins with param = param - lr weight_decay param. Adam's own decay is part of g, so it is divided by sqrt(v_hat)
    too: a weight with large gradients hardly decays. Decoupled, all weights decay at the same rate.

    m and v start at 0, so at first they are too small. The factors 1 - beta^t correct exactly this: after one step
    m_hat = g and v_hat = g^2, so the first step is lr sign(g), however large g is.

    Shapes: all arrays alike. `param`, `exp_avg` and `exp_avg_sq` are changed in place; `grad` is not.

    ValueError, with nothing changed, if a shape or dtype differs, an array to be changed is read-only, or one of the
    rule's numbers is out of its range.

    As torch.optim.Adam, and AdamW if decoupled: eps is added outside the root, after the correction.
    """
    check_rule("adam_update", lr, betas, eps, weight_decay, step)
    arrays_of(FLOATS, "adam_update", param=param, grad=grad)
    same_dtype("adam_update", param=param, grad=grad, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    of_shape(param.shape, "adam_update", grad=grad, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    writeable("adam_update", param=param, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    beta1, beta2 = betas
    for p, g, m, v in blocks(param, grad, exp_avg, exp_avg_sq):
        if decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = g + weight_decay * p
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * np.square(g)
        m_hat = m / (1 - beta1**step)
        v_hat = v / (1 - beta2**step)
        p -= lr * m_hat / (np.sqrt(v_hat) + eps)


def check_rule(
    name: str, lr: float, betas: tuple[float, float], eps: float, weight_decay: float, step: int = 1
) -> None:
    """ValueError, beginning with `name`, if one of the rule's numbers is out of its range."""
    number(lr, f"{name}: lr", least=0)
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise ValueError(f"{name}: betas must be a pair of numbers, got {betas!r}")
    for beta in betas:
        number(beta, f"{name}: betas", least=0, below=1)
    number(eps, f"{name}: eps", least=0)
    number(weight_decay, f"{name}: weight_decay", least=0)
    whole(step, f"{name}: step")
