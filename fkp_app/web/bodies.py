"""How many bytes of requests are held in memory at once: who comes when there is no room waits."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fkp_app.web.limits import SECONDS, SHARES, RefusedError, is_this_machine

MAX_HELD = 256 << 20
LOOK_AGAIN = 0.05
"""Seconds after which somebody who waits looks again."""


class Bodies:
    """most: bytes of all bodies that are being received or worked on."""

    def __init__(self, most: int = MAX_HELD, seconds: float = SECONDS) -> None:
        self._most, self._seconds = most, seconds
        self._held: Counter[str] = Counter()

    @asynccontextmanager
    async def room(self, address: str, size: int) -> AsyncIterator[None]:
        """While it lasts, an address may have so many bytes more. RefusedError where there is no room for too long."""
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
            self._held += Counter()  # drops the addresses that hold nothing

    def _fits(self, address: str, size: int) -> bool:
        share = self._most if is_this_machine(address) else self._most // SHARES
        return self._held.total() + size <= self._most and self._held[address] + size <= share
