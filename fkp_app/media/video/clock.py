"""Decides when each frame is shown: by the file's times if they make sense, else by the frame rate."""

import math

LEAST_STEP = 0.001
"""Least seconds between two frames; a time that advances by less is not believed."""
MOST_STILL = 3 * 3600.0
"""Seconds, in all, that pictures may stand still. If they stand longer, the file's clock is wrong."""
STILL, BACK = 1.0, 1.0
"""Seconds: a frame that lasts longer than STILL stands still; a clock that goes back by more than BACK was reset."""


class Clock:
    """Called with the time in seconds that the file gives a frame, or None, returns the time at which the frame is
    shown, which is always later than that of the frame before.

    frame_rate: frames per second, used if a frame has no time or one that hardly advances. jumps: how often the file's
    times went back or stood still for hours; after such a jump they continue from the frame before.
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
