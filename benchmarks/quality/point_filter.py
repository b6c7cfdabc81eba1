"""One-Euro on every coordinate, the way it was published: what `fkp_app.tracking.smoothing` is compared with."""

import numpy as np

from fkp_app.tracking.smoothing import OneEuro, Tuning
from numpynet.typing import Array


class PointFilter:
    """Filters every coordinate on its own, in pixels."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._filter: OneEuro | None = None
        self._value: Array = np.empty(0)

    def __call__(self, keypoints: Array, dt: float) -> Array:
        """Filter keypoints (68, 2), or any array of numbers. dt: seconds since the last ones, above 0."""
        if self._filter is None:
            self._filter, self._value = OneEuro(self._tuning, np.arange(keypoints.size)), keypoints
        else:
            news = keypoints - self._value
            self._value = self._value + self._filter.factors(news.ravel(), dt).reshape(news.shape) * news
        return self._value
