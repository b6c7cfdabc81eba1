"""When each frame is shown: by the file's times where they make sense, else counted on."""

import math

LEAST_STEP = 0.001
"""Seconds between two frames; times that move less mean something else."""
MOST_STILL = 3 * 3600.0
"""For so many seconds in all a picture may stand still; what stands longer has a wrong clock, or never ends."""
STILL, BACK = 1.0, 1.0
"""From so many seconds on a frame counts as standing; and a clock that goes back by so many was set anew."""


class Clock:
    """Called with a frame's time in seconds by the file, or None, gives when it is shown: always later than the last.

    frame_rate: the frames a second of those without a time, or with one that hardly moves. jumps: how often the file's
    times were not believed, since they go back or stand still for hours; they are counted from there on.
    """

    def __init__(self, frame_rate: float) -> None:
        self._period = 1 / frame_rate
        self._last: float | None = None
        self._shift = 0.0
        self._left = MOST_STILL
        self.jumps = 0

    def __call__(self, at: float | None) -> float:
        if at is not None and not math.isfinite(at):
            at = None
        if self._last is None:
            if at is not None and at > MOST_STILL:
                self._shift, self.jumps = -at, 1
            self._last = max(0.0, (at or 0.0) + self._shift)
            return self._last
        self._last = self._next(at, self._last)
        return self._last

    def _next(self, at: float | None, last: float) -> float:
        follows = last + self._period
        if at is None:
            return follows
        stands = at + self._shift - last
        if stands < -BACK or (stands > STILL and stands > self._left):
            self._shift, self.jumps = follows - at, self.jumps + 1
            return follows
        if stands <= LEAST_STEP:
            return follows
        self._left -= stands if stands > STILL else 0.0
        return last + stands
