"""Frames that come at any times, in a file that knows a constant frame rate alone: which number each of them gets."""

MOST_STILL = 100_000
"""So many numbers, over an hour at 25 frames a second, may pass in all while a picture stands; then gaps are closed."""


class Numbering:
    """Called with a frame's time in seconds, gives its number: 0, 1, ..., or later where the last one stands longer, or
    None where the number is taken. still: how many numbers were passed over; rate: frames a second."""

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
        """What one should know of it at the end."""
        notes = []
        if self._closed:
            notes.append(f"leaves out {self._closed / self._rate:.0f} s in which a picture stands still, of its gaps")
        if self._dropped:
            notes.append(f"lacks {self._dropped} of the frames, which came faster than its constant frame rate")
        return notes
