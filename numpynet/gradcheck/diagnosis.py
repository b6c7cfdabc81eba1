"""Where a gradient is wrong, and how wrong it is there."""

from dataclasses import dataclass

import numpy as np

from numpynet.gradcheck.causes import Hints, likely_cause
from numpynet.typing import AnyArray, Array

TOLERANCE = 1e-7
"""The largest error of a right gradient, relative to the largest magnitude of the numerical one."""


@dataclass(frozen=True)
class Finding:
    """The check of one gradient: its largest relative error and where, both values there, and a likely cause.

    note: what a reader should know of a right gradient, such as what this check cannot see.
    """

    name: str
    error: float
    where: tuple[int, ...]
    analytic: float
    numeric: float
    passed: bool
    cause: str = ""
    note: str = ""


def examine(
    name: str,
    analytic: Array,
    numeric: Array,
    coverage: AnyArray | None = None,
    tolerance: float = TOLERANCE,
    hints: Hints | None = None,
    note: str = "",
) -> Finding:
    """Compare a gradient with the numerical one.

    coverage: for an image, how many windows see each pixel, (H, W); it tells overlaps from padding. `hints`, which
    hold it too, say more of the function. note: what the finding says in addition.
    """
    if analytic.shape != numeric.shape:
        cause = f"the shape is {analytic.shape} instead of {numeric.shape}: a transpose, or a sum left out"
        return Finding(name, float("inf"), (), float("nan"), float("nan"), False, cause)
    scale = max(float(np.abs(numeric).max(initial=0)), 1e-12)
    errors = np.asarray(np.abs(analytic - numeric) / scale)
    errors[~np.isfinite(errors)] = np.inf
    where = tuple(int(i) for i in np.unravel_index(int(errors.argmax()), errors.shape))
    largest = float(errors[where])
    passed = largest <= tolerance
    hints = Hints(coverage) if hints is None else hints
    cause = "" if passed else likely_cause(analytic, numeric, errors > tolerance, hints)
    return Finding(name, largest, where, float(analytic[where]), float(numeric[where]), passed, cause, note)
