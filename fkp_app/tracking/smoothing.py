"""Keypoints that stand still while the face does, and do not lag while it moves.

The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012, https://gery.casiez.net/1euro/) is a low-pass filter whose
cutoff grows with speed. Applied to each coordinate it works poorly: the speed of one point is mostly noise, so either
noise opens the filter, or motion opens it too late. `FaceSmoother` therefore filters a face in two parts:

- the pose (place, size, roll), which all 68 points share. Their noise averages out, so the speed is known well enough
  to open the filter at once.
- the shape, the points relative to the pose. It changes little while the head moves, so it can be filtered strongly.
  Each part of the face has its own speed; one speed for the whole shape measured no worse on our clips.

Lengths are in sides of the face, so the same constants serve at every distance. `python -m benchmarks video` compares
the two ways.
"""

import math
from dataclasses import dataclass

import numpy as np

from fkp_app.geometry.framing import face_square
from fkp_app.geometry.keypoint_layout import RANGES
from numpynet.typing import AnyArray, Array


@dataclass(frozen=True)
class Tuning:
    """Constants of a One-Euro filter.

    min_cutoff: cutoff at rest, in Hz. beta: Hz added to the cutoff per unit of speed (sides per second in
    `FaceSmoother`). d_cutoff: cutoff of the low-pass filter of the speed, in Hz.
    """

    min_cutoff: float
    beta: float
    d_cutoff: float = 1.0


# Chosen by hand among some sixty settings tried on the clips of `python -m benchmarks video`, on which they are also
# measured. With a larger cutoff, shaking at rest rises faster than lag falls.
POSE = Tuning(1.0, 100.0)
SHAPE = Tuning(0.5, 15.0)
PARTS = np.zeros(68, np.intp)
"""The part of the face that each point belongs to: an index into RANGES."""
for _part, _points in enumerate(RANGES.values()):
    PARTS[_points] = _part


def smoothing_factor(cutoff: Array | float, dt: float) -> Array:
    """Smoothing factor, 0 .. 1, of a low-pass filter with this cutoff in Hz, dt seconds after the last sample.

    The One-Euro paper's alpha = 1 / (1 + tau / dt) with tau = 1 / (2 pi cutoff). The filter itself is
    filtered += alpha (measured - filtered).
    """
    alpha: Array = 1 / (1 + 1 / (2 * math.pi * np.maximum(cutoff, 1e-9) * dt))
    return alpha


class OneEuro:
    """The smoothing factors of a One-Euro filter for n values.

    For a value x with filtered value x_hat, dt seconds after the last sample:

        news   = x - x_hat
        speed += smoothing_factor(d_cutoff, dt) (news / dt - speed)
        alpha  = smoothing_factor(min_cutoff + beta |speed|, dt)
        x_hat += alpha news                                        (left to the caller)

    The paper differentiates the measured values; here news / dt replaces that derivative. groups: group number (n) of
    each value, from 0. The values of a group share one speed, the root mean square of their speeds.
    """

    def __init__(self, tuning: Tuning, groups: AnyArray) -> None:
        self._tuning, self._groups = tuning, groups
        self._speed: Array = np.zeros(len(groups))

    def factors(self, news: AnyArray, dt: float) -> Array:
        """Factors (n) for news (n), real or complex: measured minus filtered values. dt: seconds since the last."""
        tuning, groups = self._tuning, self._groups
        self._speed = self._speed + smoothing_factor(tuning.d_cutoff, dt) * (news / dt - self._speed)
        mean_square = np.bincount(groups, np.abs(self._speed) ** 2) / np.bincount(groups)
        return smoothing_factor(tuning.min_cutoff + tuning.beta * np.sqrt(mean_square[groups]), dt)


class FaceSmoother:
    """Filters the keypoints of one face from frame to frame: its pose and its shape apart.

    points = centre + size * shape, in complex numbers: a turn and a scale are one complex factor, `size`.
    """

    def __init__(self, pose: Tuning = POSE, shape: Tuning = SHAPE) -> None:
        self._pose, self._shape = OneEuro(pose, np.zeros(68, np.intp)), OneEuro(shape, PARTS)
        self._centre, self._size = 0j, 0j  # pixels; |size| is the face's side, its angle the roll since the first frame
        self._form: AnyArray | None = None  # the filtered shape: (68) complex, mean 0, in sides of the face

    def __call__(self, keypoints: Array, dt: float) -> Array:
        """Filter finite keypoints (68, 2); returns float64. dt: seconds since the last ones, above 0."""
        points = keypoints[:, 0] + 1j * keypoints[:, 1]
        centre = complex(points.mean())
        if self._form is None:
            self._centre, self._size = centre, complex(face_square(keypoints)[2])
            self._form = (points - centre) / self._size
            return keypoints.astype(np.float64)
        form = self._form
        # The size that fits size * form to the points best, by least squares.
        size = complex(np.vdot(form, points - centre)) / max(float(np.vdot(form, form).real), 1e-12)
        if abs(size) < 1e-6:  # the points do not resemble the last ones
            return self._restart(keypoints, dt)
        news = (centre - self._centre + (size - self._size) * form) / abs(self._size)
        factor = float(self._pose.factors(news, dt)[0])
        self._centre += factor * (centre - self._centre)
        self._size *= (size / self._size) ** factor  # turns the shorter way round
        news = (points - centre) / size - form
        self._form = form + self._shape.factors(news, dt) * news
        self._form -= self._form.mean()
        filtered = self._centre + self._size * self._form
        return np.column_stack([filtered.real, filtered.imag])

    def _restart(self, keypoints: Array, dt: float) -> Array:
        """Forget the last points and begin with these."""
        self._form = None
        return self(keypoints, dt)
