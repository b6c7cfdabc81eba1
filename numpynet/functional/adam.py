"""Adam: steps of about the same length for every weight, along a smoothed gradient."""

import numpy as np

from numpynet.checks import FLOATS, arrays_of, number, of_shape, same_dtype, whole, writeable
from numpynet.factors import Factors
from numpynet.typing import Array

ADAM_BLOCK = 1 << 15
"""How many numbers `numpynet.Adam` hands over at a time. The update below makes several temporaries of the length of
what it moves; in blocks they stay in the processor's cache, where fc1's 147 million numbers at once would need 0.6 GB
for each."""


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

    With `decoupled` decay (AdamW: Loshchilov and Hutter 2019, algorithm 2) g is the gradient alone, and before all
    else param = param - lr weight_decay param. As part of g the decay is divided by sqrt(v_hat) like the rest of it:
    where gradients are large, weights hardly decay. Decoupled, all decay at the one rate.

    m and v begin at 0 and are too small at first by just the factors that the hats divide by: after one step
    m_hat = g and v_hat = g^2, so the first step is lr sign(g), however large g is.

    Shapes: all arrays alike. `param`, `exp_avg` and `exp_avg_sq` are changed in place; `grad` is not.

    As torch.optim.Adam, and AdamW where decoupled: eps is added outside the root, after the correction.
    """
    check_rule("adam_update", lr, betas, eps, weight_decay, step)
    arrays_of(FLOATS, "adam_update", param=param, grad=grad)
    same_dtype("adam_update", param=param, grad=grad, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    of_shape(param.shape, "adam_update", grad=grad, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    writeable("adam_update", param=param, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    beta1, beta2 = betas
    if decoupled:
        param *= 1 - lr * weight_decay
    elif weight_decay:
        grad = grad + weight_decay * param
    exp_avg *= beta1
    exp_avg += (1 - beta1) * grad
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * np.square(grad)
    m_hat = exp_avg / (1 - beta1**step)
    v_hat = exp_avg_sq / (1 - beta2**step)
    param -= lr * m_hat / (np.sqrt(v_hat) + eps)


def adam_update_factored(
    param: Array,
    factors: Factors,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool = False,
) -> None:
    """`adam_update` for the gradient left^T right, of which only a few rows exist at a time.

    Shapes: param, exp_avg and exp_avg_sq (O, I); factors (N, O) and (N, I).
    """
    same_dtype("adam_update_factored", param=param, left=factors.left, right=factors.right)
    if factors.left.ndim != 2 or factors.right.ndim != 2 or len(factors.left) != len(factors.right):
        shapes = f"{factors.left.shape} and {factors.right.shape}"
        raise ValueError(f"adam_update_factored: the factors must have shapes (N, O) and (N, I), got {shapes}")
    of_shape((factors.left.shape[1], factors.right.shape[1]), "adam_update_factored", param=param)
    of_shape(param.shape, "adam_update_factored", exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    rows = max(1, ADAM_BLOCK // max(1, param.shape[1]))
    for begin in range(0, len(param), rows):
        part = slice(begin, begin + rows)
        grad = Factors(factors.left[:, part], factors.right).product()  # (rows, I)
        arrays = (param[part], grad, exp_avg[part], exp_avg_sq[part])
        adam_update(*arrays, step, lr, betas, eps, weight_decay, decoupled)


def check_rule(
    name: str, lr: float, betas: tuple[float, float], eps: float, weight_decay: float, step: int = 1
) -> None:
    """ValueError, beginning with `name`, where one of the rule's numbers is out of its range."""
    number(lr, f"{name}: lr", least=0)
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise ValueError(f"{name}: betas must be a pair of numbers, got {betas!r}")
    for beta in betas:
        number(beta, f"{name}: betas", least=0, below=1)
    number(eps, f"{name}: eps", least=0)
    number(weight_decay, f"{name}: weight_decay", least=0)
    whole(step, f"{name}: step")
