"""How steady and how late points are: the points of a clip against the true ones, both (T, 68, 2) in pixels."""

from dataclasses import dataclass

import numpy as np

from fkp_app.geometry.keypoint_layout import OUTER_EYES
from numpynet.typing import Array

LONGEST_LAG = 5.0
"""The largest lag that is looked for, in frames."""


@dataclass(frozen=True)
class Steadiness:
    """Figures of a clip, in pixels unless stated otherwise.

    shake: root mean square of the change of the error vector from one frame to the next.
    spread: standard deviation of the error vector.
    error: mean distance from the true points.
    error_percent: the mean error in percent of the distance between the outer corners of the eyes.
    lag: the delay of the true points, in frames, at which they fit the points best; NaN if nothing moves.
    """

    shake: float
    spread: float
    error: float
    error_percent: float
    lag: float


def steadiness(points: Array, truth: Array, settle: int = 10) -> Steadiness:
    """The figures of points and truth (T, 68, 2) without the first `settle` frames, in which the smoothing begins."""
    off = (points - truth)[settle:]
    error = np.linalg.norm(off, axis=-1)  # (T, 68)
    right, left = OUTER_EYES
    eyes = np.linalg.norm(truth[settle:, left] - truth[settle:, right], axis=-1)  # (T)
    return Steadiness(
        shake=_rms(np.diff(off, axis=0)),
        spread=_rms(off - off.mean(axis=0)),
        error=float(error.mean()),
        error_percent=float(100 * (error / eyes[:, None]).mean()),
        lag=lag(points, truth, settle),
    )


def lag(points: Array, truth: Array, settle: int = 10) -> float:
    """By how many frames points (T, 68, 2) come after the true ones; NaN if nothing moves.

    The delay from -1 frame to LONGEST_LAG, in steps of 0.05, for which the spread about the delayed truth is smallest.
    """
    frames = np.arange(len(truth), dtype=np.float64)
    whole = np.arange(max(settle, int(LONGEST_LAG) + 1), len(truth) - 2)
    if _rms(truth[whole] - truth[whole].mean(axis=0)) < 0.5:
        return float("nan")
    delays = np.arange(-1.0, LONGEST_LAG, 0.05)
    misses = []
    for delay in delays:
        at = frames[whole] - delay
        low = np.floor(at).astype(int)
        share = (at - low)[:, None, None]
        off = points[whole] - ((1 - share) * truth[low] + share * truth[low + 1])
        misses.append(_rms(off - off.mean(axis=0)))
    return float(delays[int(np.argmin(misses))])


def _rms(steps: Array) -> float:
    """Root mean square of the lengths of vectors (..., 2)."""
    return float(np.sqrt((steps**2).sum(axis=-1).mean()))
