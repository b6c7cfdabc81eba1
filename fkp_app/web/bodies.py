"""A limit on the bytes of request bodies in memory: a request for which there is no room waits."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fkp_app.web.limits import SECONDS, SHARES, RefusedError, is_this_machine

MAX_HELD = 256 << 20
"""Bytes of all bodies in memory."""
LOOK_AGAIN = 0.05
"""Seconds between two looks of a waiting request."""


class Bodies:
    """Counts the bytes of the bodies in memory. most: bytes of all bodies; seconds: how long a request waits."""

    def __init__(self, most: int = MAX_HELD, seconds: float = SECONDS) -> None:
        self._most, self._seconds = most, seconds
        self._held: Counter[str] = Counter()

    @asynccontextmanager
    async def room(self, address: str, size: int) -> AsyncIterator[None]:
        """Reserve `size` bytes for an address while the body runs. RefusedError if there is no room for too long."""
        try:
            async with asyncio.timeout(self._seconds):
                while not self._fits(address, size):
                    await asyncio.sleep(LOOK_AGAIN)
        except TimeoutError:
            raise RefusedError(503, "too many photos arrive at once; try again in a moment") from None
        self._held[address] += size
        try:
            yield
        finally:
            self._held[address] -= size
            self._held += Counter()  # removes addresses with a count of 0

    def _fits(self, address: str, size: int) -> bool:
        share = self._most if is_this_machine(address) else self._most // SHARES
        return self._held.total() + size <= self._most and self._held[address] + size <= share
