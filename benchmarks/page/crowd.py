"""Clients that send one photo after another, and what became of each."""

import random
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.page.photos import Photo, is_right
from benchmarks.page.visitor import Answer, LimitedError, UnansweredError, Visitor

PHOTOS_EACH = 5
"""Photos that a client sends before it closes the page and opens it anew."""
STYLES = ("none", "aviator", "hearts")
_noting = threading.Lock()


@dataclass
class Tally:
    """Of the photos of all clients: right answers, wrong and lost ones in words, refusals for sending too many.

    seconds: from each choice to its answer. promises: for each photo that waited, the seconds that the page promised at
    first and those that it took.
    """

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    limited: int = 0
    seconds: list[float] = field(default_factory=list)
    promises: list[tuple[float, float]] = field(default_factory=list)

    def note(self, photo: Photo, outcome: Answer | LimitedError | UnansweredError) -> None:
        """Count what became of a photo."""
        with _noting:
            if isinstance(outcome, LimitedError):
                self.limited += 1
            elif isinstance(outcome, UnansweredError):
                self.lost.append(f"{photo.name}: {outcome}")
            elif not is_right(outcome.numbers, photo):
                self.wrong.append(f"{photo.name}: {outcome.numbers}")
            else:
                self.right += 1
                self.seconds.append(outcome.seconds)
                self.promises += [(promised, outcome.seconds - at) for at, promised in outcome.promises[:1]]

    def lines(self) -> list[str]:
        """The counts and times, as text."""
        found = [
            f"answers: {self.right} right, {len(self.wrong)} wrong, {len(self.lost)} lost; "
            f"{self.limited} refused by the limit",
        ]
        if self.seconds:
            found.append(f"wait: median {statistics.median(self.seconds):.2f} s, worst {max(self.seconds):.2f} s")
        if self.promises:
            ratios = [took / promised for promised, took in self.promises]
            low, middle, high = (statistics.quantiles(ratios, n=20)[i] for i in (0, 9, 18))
            found.append(
                f"wait over the one that the page promised first: median {middle:.2f}, "
                f"90 % of {len(ratios)} between {low:.2f} and {high:.2f}"
            )
        return found


def client(port: int, number: int, photos: Sequence[Photo], end: float, tally: Tally) -> None:
    """Send photos until `end`, a time of `time.monotonic`, the next as soon as the last one is answered."""
    rng = random.Random(number)
    while time.monotonic() < end:
        chosen = rng.choices(photos, k=PHOTOS_EACH)
        try:
            with Visitor(port, f"198.51.100.{number}") as visitor:
                for photo in chosen:
                    if time.monotonic() < end:
                        tally.note(photo, _outcome(visitor, photo, rng.choice(STYLES)))
        except UnansweredError as error:  # the page itself could not be opened
            tally.note(chosen[0], error)


def _outcome(visitor: Visitor, photo: Photo, style: str) -> Answer | LimitedError | UnansweredError:
    try:
        return visitor.look(photo.content, photo.name, style)
    except LimitedError as error:
        time.sleep(error.wait)
        return error
    except UnansweredError as error:
        return error
