"""What can be checked. A case is a function of keywords with defaults, which are the options of the command line.

Each function here returns a `Problem`; CASES holds, by name, the functions that check it.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import functional as F
from numpynet.functional.windows import pair
from numpynet.gradcheck import mistakes, networks, rules
from numpynet.gradcheck.diagnosis import Finding
from numpynet.gradcheck.geometry import Geometry, coverage_of, geometry_of
from numpynet.gradcheck.problem import Problem, Rng, apart, check
from numpynet.typing import Array, IntOrPair

ONE_IMAGE = "one image alone: this check cannot see a sum over the batch left out"
NO_OVERLAP = "windows do not overlap here: this geometry cannot see = for +="


def _windows(geometry: Geometry, batch: int = 2) -> dict[str, Any]:
    """What a problem with windows has: its coverage, and notes on what it cannot see."""
    coverage = coverage_of(geometry)
    notes = {} if (coverage > 1).any() else {"x": NO_OVERLAP}
    return {"coverage": coverage, "notes": notes | _one_image(batch)}


def _one_image(batch: int) -> dict[str, str]:
    return {"weight": ONE_IMAGE} if batch == 1 else {}


def conv2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, filters: int = 3, size: IntOrPair = 7, kernel: IntOrPair = 3,
    stride: IntOrPair = 1, padding: IntOrPair = 0, dilation: IntOrPair = 1, bias: bool = True,
) -> Problem:  # fmt: skip
    geometry = geometry_of(size, kernel, stride, padding, dilation)
    x = rng.standard_normal((batch, channels, *geometry.size))
    weight = rng.standard_normal((filters, channels, *geometry.kernel))
    OH, OW = geometry.out
    return Problem(
        F.conv2d, F.conv2d_backward, {"x": x, "weight": weight, "bias": rng.standard_normal(filters) if bias else None},
        {"stride": stride, "padding": padding, "dilation": dilation},
        counts={"the batch": batch, "the pixels of out": OH * OW, "both the batch and the pixels": batch * OH * OW},
        formulas={
            "x": "dx[pixel] = sum, over the windows that see the pixel, of dout * the weight at the pixel",
            "weight": "dweight[kh, kw] = sum, over the windows, of dout * the pixel under (kh, kw)",
            "bias": "dbias[f] = sum of dout[:, f]",
        },
        suspects={
            "x": lambda dout: mistakes.conv2d_x(dout, weight, geometry),
            "weight": lambda dout: mistakes.conv2d_weight(dout, x, geometry),
        },
        **_windows(geometry, batch),
    )  # fmt: skip


def max_pool2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, size: IntOrPair = 7, kernel: IntOrPair = 3, stride: IntOrPair = 2,
    padding: IntOrPair = 1, dilation: IntOrPair = 1,
) -> Problem:  # fmt: skip
    geometry = geometry_of(size, kernel, stride, padding, dilation)
    x = apart(rng, batch, channels, *geometry.size)
    return Problem(
        F.max_pool2d, F.max_pool2d_backward, {"x": x},
        {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation},
        formulas={"x": "dx[pixel] = sum, over the windows that the pixel wins, of dout"},
        suspects={"x": lambda dout: mistakes.max_pool2d_x(dout, x, geometry)},
        **_windows(geometry),
    )  # fmt: skip


def avg_pool2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, size: IntOrPair = 7, kernel: IntOrPair = 3, stride: IntOrPair = 2,
    padding: IntOrPair = 1, ceil_mode: bool = False, count_include_pad: bool = True,
) -> Problem:  # fmt: skip
    geometry = geometry_of(size, kernel, stride, padding)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    return Problem(
        F.avg_pool2d, F.avg_pool2d_backward, {"x": rng.standard_normal((batch, channels, *geometry.size))},
        options | {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad},
        counts={"the kernel's area": geometry.kernel[0] * geometry.kernel[1]},
        formulas={"x": "dx[pixel] = sum, over the windows that see the pixel, of dout / area"},
        **({} if ceil_mode else _windows(geometry)),
    )  # fmt: skip


def batch_norm(
    rng: Rng, *, batch: int = 3, channels: int = 2, size: IntOrPair = 4, eps: float = 1e-5, training: bool = True,
    weight: bool = True, bias: bool = True,
) -> Problem:  # fmt: skip
    x = 2 + 3 * rng.standard_normal((batch, channels, *pair(size, "size")))
    gamma, beta = rng.standard_normal(channels), rng.standard_normal(channels)
    statistics = {} if training else {"mean": rng.standard_normal(channels), "var": 0.5 + rng.random(channels)}
    given = gamma if weight else None
    return Problem(
        F.batch_norm,
        F.batch_norm_backward,
        {"x": x, "weight": given, "bias": beta if bias else None},
        {"eps": eps} | statistics,
        stand_ins={"weight": np.ones(channels), "bias": np.zeros(channels)},
        formulas={
            "x": "dx = weight / std (dout - dbias / M - x_hat dweight / M)" if training else "dx = weight / std dout",
            "weight": "dweight = sum of dout x_hat, for each channel",
            "bias": "dbias = sum of dout, for each channel",
        },
        suspects={"x": lambda dout: mistakes.batch_norm_x(dout, x, given, eps)} if training else {},
    )


def conv_block(
    rng: Rng, *, batch: int = 2, channels: int = 2, filters: int = 3, size: IntOrPair = 7, kernel: IntOrPair = 3,
    padding: IntOrPair = 1,
) -> Problem:  # fmt: skip
    inputs: dict[str, Array | None] = {
        "x": rng.standard_normal((batch, channels, *pair(size, "size"))),
        "weight": rng.standard_normal((filters, channels, *pair(kernel, "kernel"))),
        "bias": None,  # its gradient is zero, because batch norm subtracts it again
        "scale": rng.standard_normal(filters),
        "shift": rng.standard_normal(filters),
    }
    return Problem(F.conv_block, F.conv_block_backward, inputs, {"padding": padding})


def linear(rng: Rng, *, batch: int = 4, inputs: int = 5, outputs: int = 3, bias: bool = True) -> Problem:
    x, weight = rng.standard_normal((batch, inputs)), rng.standard_normal((outputs, inputs))
    return Problem(
        F.linear,
        F.linear_backward,
        {"x": x, "weight": weight, "bias": rng.standard_normal(outputs) if bias else None},
        counts={"the batch": batch},
        formulas={
            "x": "dx[n, i] = sum_o dout[n, o] weight[o, i]",
            "weight": "dweight[o, i] = sum_n dout[n, o] x[n, i]",
            "bias": "dbias[o] = sum_n dout[n, o]",
        },
        notes=_one_image(batch),
        suspects={"x": lambda dout: mistakes.linear_x(dout, weight)},
    )


def relu(rng: Rng, *, batch: int = 4, size: int = 6) -> Problem:
    formulas = {"x": "dx = dout if x > 0, else 0"}
    return Problem(F.relu, F.relu_backward, {"x": apart(rng, batch, size)}, formulas=formulas)


def flatten(rng: Rng, *, batch: int = 3, channels: int = 2, size: IntOrPair = 4) -> Problem:
    x = rng.standard_normal((batch, channels, *pair(size, "size")))
    return Problem(F.flatten, F.flatten_backward, {"x": x}, formulas={"x": "dx = dout in x's shape"})


def upsample_nearest2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, size: IntOrPair = (3, 4), factor: int = 2
) -> Problem:
    return Problem(
        F.upsample_nearest2d,
        F.upsample_nearest2d_backward,
        {"x": rng.standard_normal((batch, channels, *_wider(size)))},
        {"scale_factor": factor},
        formulas={"x": "dx[pixel] = sum of dout over the pixel's factor x factor copies"},
        counts={"the copies of each pixel": factor**2, "the factor": factor},
        suspects={"x": lambda dout: mistakes.upsample_nearest2d_x(dout, factor)},
    )


def soft_argmax2d(rng: Rng, *, batch: int = 2, maps: int = 3, size: IntOrPair = (4, 5)) -> Problem:
    x = rng.standard_normal((batch, maps, *_wider(size)))
    return Problem(
        F.soft_argmax2d,
        F.soft_argmax2d_backward,
        {"x": x},
        formulas={"x": "dx = share (dout_x (place_x - p_x) + dout_y (place_y - p_y))"},
        suspects={"x": lambda dout: mistakes.soft_argmax2d_x(dout, x)},
    )


def _wider(size: IntOrPair) -> tuple[int, int]:
    """(H, W): one number is the height, and the width is one more, so that no swap of the two goes unseen."""
    return (size, size + 1) if isinstance(size, int) else pair(size, "size")


def dropout(rng: Rng, *, batch: int = 4, size: int = 6, p: float = 0.4) -> Problem:
    mask = rng.random((batch, size)) >= p
    x = rng.standard_normal((batch, size))
    return Problem(
        F.dropout,
        F.dropout_backward,
        {"x": x},
        {"p": p, "mask": mask},
        formulas={"x": "dx = dout / (1 - p) if the element was kept, else 0"},
        counts={"1 - p": 1 - p} if p < 1 else {},
    )


def _loss(forward: Callable[..., Any], backward: Callable[..., Any], x: Array, target: Array, **more: Any) -> Problem:
    elements = {"the number of elements": x.size, "the batch": x.shape[0], "the elements per image": x.shape[1]}
    return Problem(forward, backward, {"x": x, "target": target}, counts=elements, **more)


def mse_loss(rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean") -> Problem:
    x, target = rng.standard_normal((batch, size)), rng.standard_normal((batch, size))
    formulas = {"x": "dx = dloss * 2 (x - target) / M"}
    return _loss(F.mse_loss, F.mse_loss_backward, x, target, options={"reduction": reduction}, formulas=formulas)


def smooth_l1_loss(rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean", beta: float = 1.0) -> Problem:
    target = rng.standard_normal((batch, size))
    d = apart(rng, batch, size)
    return _loss(
        F.smooth_l1_loss,
        F.smooth_l1_loss_backward,
        target + d,
        target,
        options={"reduction": reduction, "beta": beta},
        formulas={"x": "dx = dloss / M * (d / beta if |d| < beta, else sign(d)), d = x - target"},
        regions={
            f"where |x - target| >= {beta:g}: this branch's slope is sign(x - target)": np.abs(d) >= beta,
            f"where |x - target| < {beta:g}: this branch's slope is (x - target) / beta": np.abs(d) < beta,
        },
    )


def wing_loss(
    rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean", w: float = 0.9, eps: float = 0.2
) -> Problem:
    target = rng.standard_normal((batch, size))
    d = apart(rng, batch, size)
    return _loss(
        F.wing_loss,
        F.wing_loss_backward,
        target + d,
        target,
        options={"reduction": reduction, "w": w, "eps": eps},
        formulas={"x": "dx = dloss / M * sign(d) * (w / (eps + |d|) if |d| < w, else 1), d = x - target"},
        regions={
            f"where |x - target| >= {w:g}: this branch's slope is sign(x - target)": np.abs(d) >= w,
            f"where |x - target| < {w:g}: this branch's slope is sign(d) w / (eps + |d|)": np.abs(d) < w,
        },
    )


PROBLEMS: dict[str, Callable[..., Problem]] = {
    "linear": linear,
    "relu": relu,
    "flatten": flatten,
    "dropout": dropout,
    "mse_loss": mse_loss,
    "smooth_l1_loss": smooth_l1_loss,
    "wing_loss": wing_loss,
    "upsample_nearest2d": upsample_nearest2d,
    "soft_argmax2d": soft_argmax2d,
    "conv2d": conv2d,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "batch_norm": batch_norm,
    "conv_block": conv_block,
}


def _checked(problem: Callable[..., Problem]) -> Callable[..., list[Finding]]:
    """The case that checks this problem, with the same options."""

    @functools.wraps(problem)
    def case(rng: Rng, **options: Any) -> list[Finding]:
        return check(rng, problem(rng, **options))

    return case


CASES: dict[str, Callable[..., list[Finding]]] = {
    **{name: _checked(problem) for name, problem in PROBLEMS.items()},
    "layers": networks.layers,
    "net": networks.net,
    "hourglass": networks.hourglass,
    "adam_update": rules.adam_update,
    "train_step": rules.train_step,
}
