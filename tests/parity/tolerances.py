"""How far numpynet may differ from PyTorch, relative to the largest magnitude of the compared tensor.

One row per operation; each cell is (outputs, gradients). An operation without a row uses `DEFAULT`.
"""

from typing import Literal, NamedTuple

Kind = Literal["output", "gradient"]


class Tolerance(NamedTuple):
    output: float
    gradient: float


DEFAULT = {"float64": Tolerance(1e-14, 1e-14), "float32": Tolerance(2e-6, 2e-6)}

# At least three times the observed differences: another BLAS adds in another order.
TOLERANCES: dict[str, dict[str, Tolerance]] = {
    # Gradients: sums of large numbers of both signs, so that the sum is small beside its terms.
    "conv2d": {"float64": Tolerance(1e-14, 1e-13), "float32": Tolerance(2e-6, 1e-4)},
    # Sums of up to 18,000 numbers that mostly cancel: batch norm has subtracted their mean.
    "ConvBlock": {"float64": Tolerance(1e-14, 1e-13), "float32": Tolerance(2e-6, 2e-5)},
    # Sums of 5000 numbers.
    "linear": {"float64": Tolerance(1e-14, 1e-14), "float32": Tolerance(5e-6, 2e-6)},
    "batch_norm": {"float64": Tolerance(1e-14, 1e-14), "float32": Tolerance(2e-6, 5e-6)},
    # As few as three numbers per channel with a mean of up to 5: the rounding of the mean, over a small deviation.
    "batch_norm, generated": {"float64": Tolerance(1e-14, 1e-13), "float32": Tolerance(5e-6, 5e-6)},
    # Mean 1000 and deviation 1, in seven digits. Compared with float64, not with PyTorch.
    "batch_norm, far": {"float64": Tolerance(1e-14, 1e-14), "float32": Tolerance(3e-5, 3e-5)},
    # PyTorch's mean of sevens is not exactly 7, and batch norm multiplies the difference by 1 / sqrt(eps) = 316.
    "BatchNorm, constant": {"float64": Tolerance(1e-12, 1e-12), "float32": Tolerance(1e-4, 1e-4)},
    "BatchNorm": {"float64": Tolerance(1e-14, 1e-13), "float32": Tolerance(2e-6, 5e-5)},
    # Four images through two to six batch norms, each of which divides by a small standard deviation.
    "KeypointNet": {"float64": Tolerance(1e-12, 5e-12), "float32": Tolerance(1e-4, 3e-4)},
    # Soft argmax: means over a whole map, with weights whose scores differ by up to a hundred.
    "FinderNet": {"float64": Tolerance(1e-12, 5e-12), "float32": Tolerance(1e-4, 3e-4)},
    "HourglassNet": {"float64": Tolerance(1e-12, 5e-12), "float32": Tolerance(1e-4, 3e-4)},
    # Adam divides each gradient by its own size, so differences between tiny gradients become whole steps.
    "KeypointNet, 20 steps": {"float64": Tolerance(1e-9, 1e-9)},
}


def tolerance(operation: str, dtype: str, kind: Kind) -> float:
    """The largest relative difference that passes."""
    return getattr(TOLERANCES.get(operation, DEFAULT)[dtype], kind)
