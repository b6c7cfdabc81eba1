"""What can be checked. A case is a function of keywords with defaults, which are the options of the command line.

Each function here returns a `Problem`; CASES holds, by name, the functions that check it.
"""

import functools
from collections.abc import Callable
from typing import Any

from numpynet import functional as F
from numpynet.functional.windows import pair
from numpynet.gradcheck import networks, problem, rules
from numpynet.gradcheck.diagnosis import Finding
from numpynet.gradcheck.known import Inputs
from numpynet.gradcheck.problem import Problem, Rng, apart
from numpynet.typing import IntOrPair, Pair


def conv2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, filters: int = 3, size: IntOrPair = 7, kernel: IntOrPair = 3,
    stride: IntOrPair = 1, padding: IntOrPair = 0, dilation: IntOrPair = 1, bias: bool = True,
) -> Problem:  # fmt: skip
    inputs: Inputs = {
        "x": rng.standard_normal((batch, channels, *pair(size, "size"))),
        "weight": rng.standard_normal((filters, channels, *pair(kernel, "kernel"))),
        "bias": rng.standard_normal(filters) if bias else None,
    }
    return Problem(F.conv2d, F.conv2d_backward, inputs, stride=stride, padding=padding, dilation=dilation)


def max_pool2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, size: IntOrPair = 7, kernel: IntOrPair = 3, stride: IntOrPair = 2,
    padding: IntOrPair = 1, dilation: IntOrPair = 1,
) -> Problem:  # fmt: skip
    inputs: Inputs = {"x": apart(rng, batch, channels, *pair(size, "size"))}
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return Problem(F.max_pool2d, F.max_pool2d_backward, inputs, **options)


def avg_pool2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, size: IntOrPair = 7, kernel: IntOrPair = 3, stride: IntOrPair = 2,
    padding: IntOrPair = 1, ceil_mode: bool = False, count_include_pad: bool = True,
) -> Problem:  # fmt: skip
    inputs: Inputs = {"x": rng.standard_normal((batch, channels, *pair(size, "size")))}
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    options |= {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    return Problem(F.avg_pool2d, F.avg_pool2d_backward, inputs, **options)


def batch_norm(
    rng: Rng, *, batch: int = 3, channels: int = 2, size: IntOrPair = 4, eps: float = 1e-5, training: bool = True,
    weight: bool = True, bias: bool = True,
) -> Problem:  # fmt: skip
    x = 2 + 3 * rng.standard_normal((batch, channels, *pair(size, "size")))
    gamma, beta = rng.standard_normal(channels), rng.standard_normal(channels)
    statistics = {} if training else {"mean": rng.standard_normal(channels), "var": 0.5 + rng.random(channels)}
    inputs: Inputs = {"x": x, "weight": gamma if weight else None, "bias": beta if bias else None}
    return Problem(F.batch_norm, F.batch_norm_backward, inputs, eps=eps, **statistics)


def conv_block(
    rng: Rng, *, batch: int = 2, channels: int = 2, filters: int = 3, size: IntOrPair = 7, kernel: IntOrPair = 3,
    padding: IntOrPair = 1,
) -> Problem:  # fmt: skip
    inputs: Inputs = {
        "x": rng.standard_normal((batch, channels, *pair(size, "size"))),
        "weight": rng.standard_normal((filters, channels, *pair(kernel, "kernel"))),
        "bias": None,  # its gradient is zero, because batch norm subtracts it again
        "scale": rng.standard_normal(filters),
        "shift": rng.standard_normal(filters),
    }
    return Problem(F.conv_block, F.conv_block_backward, inputs, padding=padding)


def linear(rng: Rng, *, batch: int = 4, inputs: int = 5, outputs: int = 3, bias: bool = True) -> Problem:
    arrays: Inputs = {
        "x": rng.standard_normal((batch, inputs)),
        "weight": rng.standard_normal((outputs, inputs)),
        "bias": rng.standard_normal(outputs) if bias else None,
    }
    return Problem(F.linear, F.linear_backward, arrays)


def relu(rng: Rng, *, batch: int = 4, size: int = 6) -> Problem:
    return Problem(F.relu, F.relu_backward, {"x": apart(rng, batch, size)})


def flatten(rng: Rng, *, batch: int = 3, channels: int = 2, size: IntOrPair = 4) -> Problem:
    return Problem(F.flatten, F.flatten_backward, {"x": rng.standard_normal((batch, channels, *pair(size, "size")))})


def upsample_nearest2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, size: IntOrPair = (3, 4), factor: int = 2
) -> Problem:
    inputs: Inputs = {"x": rng.standard_normal((batch, channels, *_wider(size)))}
    return Problem(F.upsample_nearest2d, F.upsample_nearest2d_backward, inputs, scale_factor=factor)


def soft_argmax2d(rng: Rng, *, batch: int = 2, maps: int = 3, size: IntOrPair = (4, 5)) -> Problem:
    return Problem(F.soft_argmax2d, F.soft_argmax2d_backward, {"x": rng.standard_normal((batch, maps, *_wider(size)))})


def _wider(size: IntOrPair) -> Pair:
    """(H, W): one number is the height, and the width is one more, so that no swap of the two goes unseen."""
    return (size, size + 1) if isinstance(size, int) else pair(size, "size")


def dropout(rng: Rng, *, batch: int = 4, size: int = 6, p: float = 0.4) -> Problem:
    mask = rng.random((batch, size)) >= p
    return Problem(F.dropout, F.dropout_backward, {"x": rng.standard_normal((batch, size))}, p=p, mask=mask)


def mse_loss(rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean") -> Problem:
    inputs: Inputs = {"x": rng.standard_normal((batch, size)), "target": rng.standard_normal((batch, size))}
    return Problem(F.mse_loss, F.mse_loss_backward, inputs, reduction=reduction)


def smooth_l1_loss(rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean", beta: float = 1.0) -> Problem:
    target = rng.standard_normal((batch, size))
    inputs: Inputs = {"x": target + apart(rng, batch, size), "target": target}
    return Problem(F.smooth_l1_loss, F.smooth_l1_loss_backward, inputs, reduction=reduction, beta=beta)


def wing_loss(
    rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean", w: float = 0.9, eps: float = 0.2
) -> Problem:
    target = rng.standard_normal((batch, size))
    inputs: Inputs = {"x": target + apart(rng, batch, size), "target": target}
    return Problem(F.wing_loss, F.wing_loss_backward, inputs, reduction=reduction, w=w, eps=eps)


def focal_loss(rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean", gamma: float = 2.0) -> Problem:
    target = rng.integers(0, 2, (batch, size)).astype(float)
    inputs: Inputs = {"x": rng.standard_normal((batch, size)), "target": target}
    weight = rng.uniform(0.2, 2, (batch, size))
    return Problem(F.focal_loss, F.focal_loss_backward, inputs, reduction=reduction, gamma=gamma, weight=weight)


PROBLEMS: dict[str, Callable[..., Problem]] = {
    "linear": linear,
    "relu": relu,
    "flatten": flatten,
    "dropout": dropout,
    "mse_loss": mse_loss,
    "smooth_l1_loss": smooth_l1_loss,
    "wing_loss": wing_loss,
    "focal_loss": focal_loss,
    "upsample_nearest2d": upsample_nearest2d,
    "soft_argmax2d": soft_argmax2d,
    "conv2d": conv2d,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "batch_norm": batch_norm,
    "conv_block": conv_block,
}


def _checked(made: Callable[..., Problem]) -> Callable[..., list[Finding]]:
    """The case that checks such a problem, with the same options."""

    @functools.wraps(made)
    def case(rng: Rng, **options: Any) -> list[Finding]:
        return problem.check(rng, made(rng, **options))

    return case


CASES: dict[str, Callable[..., list[Finding]]] = {
    **{name: _checked(made) for name, made in PROBLEMS.items()},
    "layers": networks.layers,
    "net": networks.net,
    "hourglass": networks.hourglass,
    "adam_update": rules.adam_update,
    "train_step": rules.train_step,
}
