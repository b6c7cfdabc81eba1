"""Numbers frames that come at any times, for a file with a constant frame rate."""

MOST_STILL = 100_000
"""Most numbers, in all, that may be skipped while pictures stand still (over an hour at 25 frames per second).
Beyond that, gaps are left out."""


class Numbering:
    """Called with a frame's time in seconds, returns its number, 0, 1, ...; None if that number is taken.

    Numbers are skipped while the frame before stands still. still: how many were skipped; rate: frames per second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._next = self.still = self._dropped = self._closed = 0

    def __call__(self, time: float) -> int | None:
        number = round(time * self._rate) - self._closed
        if number < self._next:
            self._dropped += 1
            return None
        gap = number - self._next
        if self.still + gap > MOST_STILL:
            self._closed += gap
            number -= gap
        else:
            self.still += gap
        self._next = number + 1
        return number

    def notes(self) -> list[str]:
        """What a user should know, after the last frame: one text per note."""
        notes = []
        if self._closed:
            notes.append(f"leaves out {self._closed / self._rate:.0f} s of gaps, in which a picture stands still")
        if self._dropped:
            notes.append(f"lacks {self._dropped} of the frames, which came faster than its constant frame rate")
        return notes
