"""Which mistake leaves the pattern that a wrong gradient shows."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from numpynet.typing import AnyArray, Array

NEAR = 1e-4
"""How far two numbers may differ and still count as equal here, relative to the gradient's largest magnitude."""

Suspect = tuple[str, Array]
"""A mistake in words, and the gradient that it makes."""


@dataclass
class Hints:
    """What is known of the function beside its gradient.

    coverage: for an image, how many windows see each pixel, (H, W).
    suspects: gradients with a mistake made on purpose; they are computed only if the gradient is wrong.
    regions: parts of the input that a formula treats alike, as boolean arrays, and their names.
    counts: numbers that may be a factor too many or too few, by name, such as the number of images.
    parts: what the function has that a mistake may be in: "kernel", "padding", "stride", "dilation", "weight". A cause
    that needs one of them is named only if it is there.
    """

    coverage: AnyArray | None = None
    suspects: Callable[[], Iterable[Suspect]] = tuple
    regions: dict[str, AnyArray] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    parts: frozenset[str] = frozenset()


def likely_cause(analytic: Array, numeric: Array, wrong: AnyArray, hints: Hints) -> str:
    """The mistake that the pattern of the wrong elements (a boolean array) points to."""
    if not np.isfinite(analytic).all():
        return "not finite: a division by zero, or a number that overflows"
    if not numeric.any():
        return "not zero: the output does not depend on this input, so its gradient is zero everywhere"
    if not analytic.any():
        return "zero everywhere: the gradient is never added, or its path is cut"
    return (
        _suspected(analytic, numeric, hints)
        or _same_factor(analytic, numeric, hints.counts)
        or _axes(analytic, numeric, hints.parts)
        or _places(wrong, hints.coverage, hints.parts)
        or _mask(analytic, numeric, wrong)
        or _regions(wrong, hints.regions)
        or _indices(wrong)
        or _factor_by_index(analytic, numeric, hints.parts)
        or _constant(analytic - numeric)
        or f"no simple pattern: {wrong.mean():.0%} of the elements are wrong; look for a term that is missing, or a "
        "product whose factors are exchanged or transposed"
    )


def _close(a: Array, b: Array, numeric: Array) -> bool:
    """Whether two gradients are equal, measured by the largest magnitude of the numerical one."""
    return a.shape == b.shape and bool(np.abs(a - b).max() < NEAR * np.abs(numeric).max())


def _suspected(analytic: Array, numeric: Array, hints: Hints) -> str:
    """A gradient with a mistake made on purpose is the same as this one, and not the same as the right one."""
    for words, suspect in hints.suspects():
        if _close(analytic, suspect, numeric) and not _close(suspect, numeric, numeric):
            return words
    return ""


def _ratios(analytic: Array, numeric: Array) -> Array:
    """analytic / numeric, or NaN if the numerical one is too small to tell."""
    large = np.abs(numeric) > 1e-3 * np.abs(numeric).max()
    return np.divide(analytic, numeric, out=np.full(numeric.shape, np.nan), where=large)


def _same_factor(analytic: Array, numeric: Array, counts: dict[str, float]) -> str:
    """One factor for all elements; those that must be zero are zero."""
    ratios = _ratios(analytic, numeric)
    middle = float(np.nanmedian(ratios))
    if np.nanmax(np.abs(ratios - middle)) > NEAR * abs(middle):
        return ""
    if np.abs(analytic - middle * numeric).max() > NEAR * max(1, abs(middle)) * np.abs(numeric).max():
        return ""
    every = "every element" if numeric.size > 1 else "the only element"
    if abs(middle + 1) < NEAR:
        return f"{every} has the wrong sign"
    known = [f"{value:.6g} is {name}" for name, value in counts.items() if abs(middle / value - 1) < NEAR]
    known += [
        f"1 / {value:.6g}, and {value:.6g} is {name}"
        for name, value in counts.items()
        if abs(middle * value - 1) < NEAR and value != 1
    ]
    hint = f" ({'; or '.join(known)})" if known else ""
    return f"{every} is {middle:.6g} times what it should be: a factor is missing or too many{hint}"


def _axes(analytic: Array, numeric: Array, parts: frozenset[str]) -> str:
    """Swapped or mirrored axes."""
    for i, j in itertools.combinations(range(numeric.ndim), 2):
        if _close(numeric.swapaxes(i, j), analytic, numeric):
            return f"axes {i} and {j} are swapped: a transpose"
    for i in range(numeric.ndim):
        if _close(np.flip(numeric, i), analytic, numeric):
            return f"axis {i} is mirrored: {'a kernel or ' if 'kernel' in parts else ''}a slice runs backwards"
    if numeric.ndim > 1 and _close(np.flip(numeric, (-2, -1)), analytic, numeric):
        why = "a kernel is turned by 180 degrees" if "kernel" in parts else "two slices run backwards"
        return f"the last two axes are mirrored: {why}"
    return ""


def _places(wrong: AnyArray, coverage: AnyArray | None, parts: frozenset[str]) -> str:
    """Wrong in some parts of an image (N, C, H, W) alone, on which windows lie."""
    if wrong.ndim != 4 or coverage is None:
        return ""
    places: AnyArray = np.any(wrong, axis=(0, 1))  # (N, C, H, W) -> (H, W)
    if (coverage > 1).any() and (coverage <= 1).any() and not places[coverage <= 1].any():
        return "wrong only where windows overlap: += is needed, not ="
    inside = places[1:-1, 1:-1]
    if "padding" in parts and inside.size and not inside.any():
        return "wrong only at the border: padding"
    if (coverage == 0).any() and places[coverage == 0].any():
        missing = " or ".join(name for name in ("stride", "dilation") if name in parts)
        return f"not zero where no window looks{f': {missing} is missing' if missing else ''}"
    return ""


def _mask(analytic: Array, numeric: Array, wrong: AnyArray) -> str:
    """Zero where the right gradient is not, or the reverse, as if a mask were missing, too many or another."""
    zero = np.abs(numeric) < 1e-9 * np.abs(numeric).max()
    added = (zero & wrong).any()
    lost = ~zero & (analytic == 0)
    if added and lost.any():
        return "zero where it must not be, and not zero where it must be: the mask is reversed or belongs elsewhere"
    if lost.any() and (lost | ~wrong).all():
        return f"zero where it must not be ({lost.mean():.0%} of the elements): a part is never added, or masked"
    if added:
        missing = "not zero where it must be: a mask is missing"
        rest = np.where(zero, 0, analytic)
        if _close(rest, numeric, numeric):
            return missing
        other = _same_factor(rest, numeric, {})
        return f"{missing}; and of the others {other}" if other else ""
    return ""


def _regions(wrong: AnyArray, regions: dict[str, AnyArray]) -> str:
    """Wrong in one region of the formula alone."""
    for name, inside in regions.items():
        if not inside.all() and not wrong[~inside].any():
            return f"wrong only {name} ({wrong[inside].mean():.0%} of these elements)"
    return ""


def _indices(wrong: AnyArray) -> str:
    """Wrong, or right, at one index of one axis alone."""
    for axis, size in enumerate(wrong.shape):
        if size < 2 or size == wrong.size:
            continue
        rows = wrong.any(axis=tuple(i for i in range(wrong.ndim) if i != axis))
        if rows.sum() == 1:
            return f"wrong only at index {rows.argmax()} of axis {axis}"
        if rows.sum() == size - 1:
            return f"right only at index {(~rows).argmax()} of axis {axis}: the others are left out or overwritten"
    return ""


def _factor_by_index(analytic: Array, numeric: Array, parts: frozenset[str]) -> str:
    """A factor that depends on one index alone, as batch norm's weight depends on the channel."""
    ratios = _ratios(analytic, numeric)
    for axis in range(numeric.ndim):
        if not 1 < numeric.shape[axis] < numeric.size:
            continue
        rows = np.moveaxis(ratios, axis, 0).reshape(numeric.shape[axis], -1)
        if np.isnan(rows).all(axis=1).any():
            continue
        middle = np.nanmedian(rows, axis=1, keepdims=True)
        if ((np.abs(rows - middle) <= NEAR * np.abs(middle)) | np.isnan(rows)).all():
            such = " (such as a weight per channel)" if "weight" in parts else ""
            return f"a factor that depends on axis {axis} alone is missing or too many{such}"
    return ""


def _constant(difference: Array) -> str:
    if np.ptp(difference) < NEAR * np.abs(difference).max():
        return f"every element is off by the same {difference.flat[0]:.6g}: a number is added to all, or left out"
    return ""
