"""`same conv2d`: one convolution computed in several ways, with equal results."""

import argparse

import numpy as np

from numpynet import functional as F
from numpynet.console import nearest
from numpynet.learn import one_point
from numpynet.learn.convolutions import BACKWARD, FORWARD
from numpynet.learn.errors import LearnError
from numpynet.learn.showing.text_grids import beside, block
from numpynet.typing import Array, Pair

TOLERANCE = 1e-12
OPTIONS = {"size": 7, "kernel": 3, "stride": 2, "padding": 1, "dilation": 1}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operation", metavar="OPERATION", help="conv2d")
    for name, default in OPTIONS.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"of the second example (default {default})")
    parser.add_argument("--seed", type=int, default=0, help="of the second example's random numbers (default 0)")


def run(options: argparse.Namespace) -> int:
    if options.operation != "conv2d":
        hint = nearest(options.operation, ["conv2d"], "choose conv2d")
        raise LearnError(f"there is no operation {options.operation!r}; {hint}")
    for name in OPTIONS:
        least = 0 if name == "padding" else 1
        if not least <= (value := getattr(options, name)) <= 32:
            raise LearnError(f"--{name} must be from {least} to 32, got {value}")
    if options.seed < 0:
        raise LearnError(f"--seed must be 0 or more, got {options.seed}")
    rng = np.random.default_rng(options.seed)
    stride, padding, dilation = ((getattr(options, name),) * 2 for name in ("stride", "padding", "dilation"))
    x = rng.standard_normal((2, 2, options.size, options.size + 1))
    weight, bias = rng.standard_normal((3, 2, options.kernel, options.kernel)), rng.standard_normal(3)
    try:
        out, _ = F.conv2d(x, weight, bias, stride, padding, dilation)
    except ValueError as error:
        raise LearnError(str(error)) from None
    dout = rng.standard_normal(out.shape)

    found = one_point.tensors()
    print("1. The convolution of the one-point net\n")
    print(beside([block("x", found["x"]), block("weight", found["conv.weight"]), block("dout", found["dconv"])]))
    worst = _ways(found["x"], found["conv.weight"], found["conv.bias"], found["dconv"], (1, 1), (0, 0), (1, 1), True)
    print(
        f"\n2. Random numbers: x {x.shape}, weight {weight.shape}, stride {options.stride}, padding {options.padding}, "
        f"dilation {options.dilation}"
    )
    worst = max(worst, _ways(x, weight, bias, dout, stride, padding, dilation, False))
    equal = worst < TOLERANCE
    print(f"\nLargest difference of all: {worst:.1e}. " + ("All ways are the same sum." if equal else "They differ."))
    return 0 if equal else 1


def _ways(
    x: Array, weight: Array, bias: Array, dout: Array, stride: Pair, padding: Pair, dilation: Pair, show: bool
) -> float:
    """Print every way beside conv2d's own result; the largest difference."""
    own, cache = F.conv2d(x, weight, bias, stride, padding, dilation)
    own_gradients = [gradient for gradient in F.conv2d_backward(dout, cache) if gradient is not None]
    lines, blocks, worst = [], [], 0.0
    for name, forward in FORWARD.items():
        out = forward(x, weight, bias, stride, padding, dilation)
        worst = max(worst, apart := float(np.abs(out - own).max()))
        blocks.append([name, *block("out", out)] if show else [])
        lines.append(f"  {name:20} out     differs from conv2d's by          {apart:.1e}")
    shown = ["\nForward, three ways:", *([beside(blocks), ""] if show else []), *lines]
    lines, blocks = [], []
    for name, backward in BACKWARD.items():
        gradients = backward(dout, x, weight, stride, padding, dilation)
        by = [float(np.abs(one - other).max()) for one, other in zip(gradients, own_gradients, strict=True)]
        worst = max(worst, *by)
        blocks.append([name, *block("dx", gradients[0])] if show else [])
        lines.append(f"  {name:20} dx {by[0]:.1e}   dweight {by[1]:.1e}   dbias {by[2]:.1e}")
    print("\n".join([*shown, "\nBackward, three ways:", *([beside(blocks), ""] if show else []), *lines]))
    return worst
