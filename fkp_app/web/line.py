"""The line in which photos wait for their turn: first come, first served, and each is told how long it will take."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

NEWEST = 0.2
"""Share of the newest photo in the mean time of a photo."""
LOOK_AGAIN = 2.0
"""Seconds after which somebody who waits is told the place anew, and whoever has left loses it."""


@dataclass(frozen=True)
class Place:
    """A place in the line.

    before: photos that wait or are worked on before this one. seconds: about how long it takes until this photo is
    done; None if no photo was worked on yet.
    """

    before: int
    seconds: float | None


class Line:
    """Lets photos in, in the order in which they came.

    at_once: number of photos that are worked on at once. clock: gives the time in seconds.
    """

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once, self._clock = at_once, clock
        self._changed = threading.Condition()
        self._waiting: list[object] = []
        self._at_work: dict[object, float] = {}
        """The time at which each photo's work began."""
        self._last_end = clock()
        self._pace: float | None = None
        """Mean seconds from one finished photo to the next, while there is always one to work on."""

    @contextmanager
    def place(self) -> Iterator[Iterator[Place]]:
        """A place at the end of the line, which is given up when the body ends, however it ends.

        The body is given an iterator. It yields the place whenever that changes and every LOOK_AGAIN seconds, and ends
        when it is this photo's turn.
        """
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        try:
            yield self._wait(ticket)
        finally:
            with self._changed:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                else:
                    self._note(self._at_work.pop(ticket))
                self._changed.notify_all()

    def _wait(self, ticket: object) -> Iterator[Place]:
        told: int | None = None
        while True:
            with self._changed:
                self._changed.wait_for(partial(self._has_news, ticket, told), LOOK_AGAIN)
                if self._may_go(ticket):
                    self._waiting.remove(ticket)
                    self._at_work[ticket] = self._clock()
                    self._changed.notify_all()
                    return
                told = self._before(ticket)
                seconds = None if self._pace is None else (told + 1) * self._pace
            yield Place(told, seconds)

    def _has_news(self, ticket: object, told: int | None) -> bool:
        return self._may_go(ticket) or self._before(ticket) != told

    def _may_go(self, ticket: object) -> bool:
        return self._waiting[0] is ticket and len(self._at_work) < self._at_once

    def _before(self, ticket: object) -> int:
        return len(self._at_work) + self._waiting.index(ticket)

    def _note(self, begun: float) -> None:
        """A photo is done whose work began then: it took the time since, or since the last one was done."""
        now = self._clock()
        took = now - max(begun, self._last_end)
        self._pace = took if self._pace is None else (1 - NEWEST) * self._pace + NEWEST * took
        self._last_end = now
