"""Where a gradient is wrong, and which mistake leaves this pattern."""

import itertools
from dataclasses import dataclass

import numpy as np

from numpynet.typing import AnyArray, Array

TOLERANCE = 1e-7
"""The largest error of a right gradient, relative to the largest magnitude of the numerical one."""


@dataclass(frozen=True)
class Finding:
    """The check of one gradient: its largest relative error and where, both values there, and a likely cause."""

    name: str
    error: float
    where: tuple[int, ...]
    analytic: float
    numeric: float
    passed: bool
    cause: str = ""


def examine(
    name: str, analytic: Array, numeric: Array, coverage: AnyArray | None = None, tolerance: float = TOLERANCE
) -> Finding:
    """Compare a gradient with the numerical one.

    coverage: for an image, how many windows see each pixel, (H, W); it tells overlaps from padding.
    """
    if analytic.shape != numeric.shape:
        cause = f"the shape is {analytic.shape} instead of {numeric.shape}: a transpose, or a sum left out"
        return Finding(name, float("inf"), (), float("nan"), float("nan"), False, cause)
    scale = max(float(np.abs(numeric).max(initial=0)), 1e-12)
    errors = np.abs(analytic - numeric) / scale
    errors[~np.isfinite(errors)] = np.inf
    where = tuple(int(i) for i in np.unravel_index(int(errors.argmax()), errors.shape))
    largest = float(errors[where])
    passed = largest <= tolerance
    cause = "" if passed else likely_cause(analytic, numeric, errors > tolerance, coverage)
    return Finding(name, largest, where, float(analytic[where]), float(numeric[where]), passed, cause)


def likely_cause(analytic: Array, numeric: Array, wrong: AnyArray, coverage: AnyArray | None = None) -> str:
    """The mistake that the pattern of the wrong elements (a boolean array) points to."""
    if not np.isfinite(analytic).all():
        return "not finite: a division by zero, or a number that overflows"
    if not analytic.any():
        return "zero everywhere: the gradient is never added, or its path is cut"
    return (
        _same_factor(analytic, numeric)
        or _axes(analytic, numeric)
        or _places(wrong, coverage)
        or _factor_by_index(analytic, numeric)
        or _constant(analytic - numeric)
        or f"no simple pattern: {wrong.mean():.0%} of the elements are wrong; look for a missing term"
    )


def _ratios(analytic: Array, numeric: Array) -> Array:
    """analytic / numeric, or NaN if the numerical one is too small to tell."""
    large = np.abs(numeric) > 1e-3 * np.abs(numeric).max()
    return np.divide(analytic, numeric, out=np.full(numeric.shape, np.nan), where=large)


def _same_factor(analytic: Array, numeric: Array) -> str:
    ratios = _ratios(analytic, numeric)
    middle = np.nanmedian(ratios)
    if np.nanmax(np.abs(ratios - middle)) > 1e-4 * abs(middle):
        return ""
    if abs(middle + 1) < 1e-4:
        return "every element has the wrong sign"
    return f"every element is {middle:.6g} times what it should be: a factor is missing or too many"


def _axes(analytic: Array, numeric: Array) -> str:
    """Swapped or mirrored axes."""
    near = 1e-4 * np.abs(numeric).max()
    for i, j in itertools.combinations(range(numeric.ndim), 2):
        swapped = numeric.swapaxes(i, j)
        if swapped.shape == analytic.shape and np.abs(swapped - analytic).max() < near:
            return f"axes {i} and {j} are swapped: a transpose"
    for i in range(numeric.ndim):
        if np.abs(np.flip(numeric, i) - analytic).max() < near:
            return f"axis {i} is mirrored: a kernel or a slice runs backwards"
    return ""


def _places(wrong: AnyArray, coverage: AnyArray | None) -> str:
    """Wrong in some parts of an image (N, C, H, W) alone."""
    if wrong.ndim != 4:
        return ""
    places: AnyArray = np.any(wrong, axis=(0, 1))  # (N, C, H, W) -> (H, W)
    if coverage is not None and (coverage > 1).any() and (coverage <= 1).any() and not places[coverage <= 1].any():
        return "wrong only where windows overlap: += is needed, not ="
    inside = places[1:-1, 1:-1]
    if inside.size and not inside.any():
        return "wrong only at the border: padding"
    if coverage is not None and (coverage == 0).any() and places[coverage == 0].any():
        return "not zero where no window looks: stride or dilation is missing"
    return ""


def _factor_by_index(analytic: Array, numeric: Array) -> str:
    """A factor that depends on one index alone, as batch norm's weight depends on the channel."""
    ratios = _ratios(analytic, numeric)
    for axis in range(numeric.ndim):
        if not 1 < numeric.shape[axis] < numeric.size:
            continue
        rows = np.moveaxis(ratios, axis, 0).reshape(numeric.shape[axis], -1)
        if np.isnan(rows).all(axis=1).any():
            continue
        middle = np.nanmedian(rows, axis=1, keepdims=True)
        if ((np.abs(rows - middle) <= 1e-4 * np.abs(middle)) | np.isnan(rows)).all():
            return f"a factor that depends on axis {axis} alone is missing or too many (such as a weight per channel)"
    return ""


def _constant(difference: Array) -> str:
    if np.ptp(difference) < 1e-4 * np.abs(difference).max():
        return f"every element is off by the same {difference.flat[0]:.6g}: a mean or a bias is left in or out"
    return ""
