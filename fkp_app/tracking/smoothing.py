"""Points that stand still while a face does, and do not lag while it moves.

The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) is a low pass whose cutoff grows with speed. Applied to each
coordinate it has little to go by: a point's speed is mostly noise, so either the noise opens the filter or motion is
slow to. `FaceSmoother` filters a face in two parts. Its pose (place, size, roll) is common to 68 points, in which the
noise averages out, so that its speed is known well enough to open the filter at once. What remains is the shape, which
lasts while the head moves and may be filtered strongly; each part of the face by its own speed, though one speed for
the whole shape measured no worse on the clips at hand. All is measured in sides of the face: the same numbers serve at
every distance.
`python -m benchmarks video` compares the two.
"""

import math
from dataclasses import dataclass

import numpy as np

from fkp_app.geometry.framing import face_square
from fkp_app.geometry.keypoint_layout import RANGES
from numpynet.typing import AnyArray, Array


@dataclass(frozen=True)
class Tuning:
    """All in Hz. min_cutoff: at rest; beta: what each unit a second adds to it; d_cutoff: of the speed itself."""

    min_cutoff: float
    beta: float
    d_cutoff: float = 1.0


# Chosen by hand among some sixty settings tried on the clips of `python -m benchmarks video`, on which they are
# measured, too: beyond these, shaking at rest rises faster than lag falls.
POSE = Tuning(1.0, 100.0)
SHAPE = Tuning(0.5, 15.0)
PARTS = np.zeros(68, np.intp)
"""Which part of the face each point is of."""
for _part, _points in enumerate(RANGES.values()):
    PARTS[_points] = _part


def low_pass(cutoff: Array | float, dt: float) -> Array:
    """What a new value counts for in a low pass of so many Hz, dt seconds after the last one: 0 .. 1."""
    share: Array = 1 / (1 + 1 / (2 * math.pi * np.maximum(cutoff, 1e-9) * dt))
    return share


class OneEuro:
    """The heart of the filter: by which share to follow what is new.

    groups: names, 0 and up, of what moves together (n), and so has one speed: the root mean square of its members'.
    """

    def __init__(self, tuning: Tuning, groups: AnyArray) -> None:
        self._tuning, self._groups = tuning, groups
        self._rate: Array = np.zeros(len(groups))

    def share(self, news: AnyArray, dt: float) -> Array:
        """Shares (n) for news (n), real or complex: by how much the measured differs from the filtered; dt: seconds."""
        tuning, groups = self._tuning, self._groups
        self._rate = self._rate + low_pass(tuning.d_cutoff, dt) * (news / dt - self._rate)
        power = np.bincount(groups, np.abs(self._rate) ** 2) / np.bincount(groups)
        return low_pass(tuning.min_cutoff + tuning.beta * np.sqrt(power[groups]), dt)


class PointFilter:
    """One-Euro as published, every coordinate on its own, in pixels: what `FaceSmoother` is measured against."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._filter: OneEuro | None = None
        self._value: Array = np.empty(0)

    def __call__(self, keypoints: Array, dt: float) -> Array:
        """Keypoints (68, 2), or any array of numbers, filtered; dt: seconds since the last, above 0."""
        if self._filter is None:
            self._filter, self._value = OneEuro(self._tuning, np.arange(keypoints.size)), keypoints
        else:
            news = keypoints - self._value
            self._value = self._value + self._filter.share(news.ravel(), dt).reshape(news.shape) * news
        return self._value


class FaceSmoother:
    """Filters the keypoints of one face from frame to frame, pose and shape apart."""

    def __init__(self, pose: Tuning = POSE, shape: Tuning = SHAPE) -> None:
        self._pose, self._shape = OneEuro(pose, np.zeros(68, np.intp)), OneEuro(shape, PARTS)
        self._at, self._size = 0j, 0j  # where the face is; how large, and how turned: points are at + size * form
        self._form: AnyArray | None = None  # (68) complex, about 0, in sides of the face

    def __call__(self, keypoints: Array, dt: float) -> Array:
        """Keypoints (68, 2), finite, filtered, as float64; dt: seconds since the last ones, above 0."""
        points = keypoints[:, 0] + 1j * keypoints[:, 1]
        at = complex(points.mean())
        if self._form is None:
            self._at, self._size = at, complex(face_square(keypoints)[2])
            self._form = (points - at) / self._size
            return keypoints.astype(np.float64)
        form = self._form
        size = complex(np.vdot(form, points - at)) / max(
            float(np.vdot(form, form).real), 1e-12
        )  # the best fit of the form
        if abs(size) < 1e-6:  # no similarity with what was there before
            return self._anew(keypoints, dt)
        news = (at - self._at + (size - self._size) * form) / abs(self._size)
        share = float(self._pose.share(news, dt)[0])
        self._at += share * (at - self._at)
        self._size *= (size / self._size) ** share  # on the shorter way round
        news = (points - at) / size - form
        self._form = form + self._shape.share(news, dt) * news
        self._form -= self._form.mean()
        filtered = self._at + self._size * self._form
        return np.column_stack([filtered.real, filtered.imag])

    def _anew(self, keypoints: Array, dt: float) -> Array:
        self._form = None
        return self(keypoints, dt)
