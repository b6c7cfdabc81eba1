"""How far numpynet may lie from PyTorch, relative to the largest magnitude of the tensor compared.

One row an operation; each cell is (outputs, gradients). An operation that has no row uses `DEFAULT`.
"""

from typing import Literal, NamedTuple

Kind = Literal["output", "gradient"]


class Tolerance(NamedTuple):
    output: float
    gradient: float


DEFAULT = {"float64": Tolerance(1e-14, 1e-14), "float32": Tolerance(2e-6, 2e-6)}

# Set from what was observed, times three or more: another BLAS adds up in another order.
TOLERANCES: dict[str, dict[str, Tolerance]] = {
    # A sum of large numbers of one sign under cotangents of both: what is left is small beside its terms.
    "conv2d": {"float64": Tolerance(1e-14, 1e-13), "float32": Tolerance(2e-6, 1e-4)},
    # Sums of up to 18,000 numbers, most of which cancel: batch norm has taken out their mean.
    "ConvBlock": {"float64": Tolerance(1e-14, 1e-13), "float32": Tolerance(2e-6, 2e-5)},
    # Sums of 5000 numbers.
    "linear": {"float64": Tolerance(1e-14, 1e-14), "float32": Tolerance(5e-6, 2e-6)},
    "batch_norm": {"float64": Tolerance(1e-14, 1e-14), "float32": Tolerance(2e-6, 5e-6)},
    # Means of up to 5 and as few as three numbers a channel: the mean's rounding, over what little is left.
    "batch_norm, generated": {"float64": Tolerance(1e-14, 1e-13), "float32": Tolerance(5e-6, 5e-6)},
    # Mean 1000 and deviation 1 in seven digits: against float64, not against PyTorch.
    "batch_norm, far": {"float64": Tolerance(1e-14, 1e-14), "float32": Tolerance(3e-5, 3e-5)},
    # PyTorch's mean of sevens is not quite seven, and 1 / sqrt(eps) = 316 times that is seen.
    "BatchNorm, constant": {"float64": Tolerance(1e-12, 1e-12), "float32": Tolerance(1e-4, 1e-4)},
    "BatchNorm": {"float64": Tolerance(1e-14, 1e-13), "float32": Tolerance(2e-6, 5e-5)},
    # Four images through two to six batch norms, each of which divides by what little its inputs differ.
    "KeypointNet": {"float64": Tolerance(1e-12, 5e-12), "float32": Tolerance(1e-4, 3e-4)},
    # Means over a whole map, of shares whose scores lie up to a hundred apart.
    "HourglassNet": {"float64": Tolerance(1e-12, 5e-12), "float32": Tolerance(1e-4, 3e-4)},
    # Adam divides every gradient by its own size: the differences of the smallest become steps.
    "KeypointNet, 20 steps": {"float64": Tolerance(1e-9, 1e-9)},
}


def tolerance(operation: str, dtype: str, kind: Kind) -> float:
    """The largest relative difference that is let pass."""
    return getattr(TOLERANCES.get(operation, DEFAULT)[dtype], kind)
