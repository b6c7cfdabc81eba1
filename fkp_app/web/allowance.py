"""A limit on the requests of each visitor's address: some at once, and then so many per second."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from fkp_app.web.limits import RefusedError, is_this_machine

AT_ONCE = 60
"""Uploads and choices of one address that are let through at once, after a while without any."""
PER_SECOND = 2.0
"""Uploads and choices of one address that are let through in the long run. A new photo takes two, a new style one."""
MOST_ADDRESSES = 10_000
"""Addresses that are remembered; then the one that was heard of longest ago is forgotten."""


class Allowance:
    """Counts requests as a token bucket does. There is no limit for this machine itself.

    Of each address it remembers one number: the time at which it may send `at_once` requests again.
    """

    def __init__(
        self,
        at_once: int = AT_ONCE,
        per_second: float = PER_SECOND,
        most_addresses: int = MOST_ADDRESSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room, self._each = (at_once - 1) / per_second, 1 / per_second
        self._most, self._clock = most_addresses, clock
        self._lock = threading.Lock()
        self._full_again: OrderedDict[str, float] = OrderedDict()

    def take(self, address: str) -> None:
        """Count a request of an address. RefusedError (429) that says how long to wait if it has none left."""
        if is_this_machine(address):
            return
        with self._lock:
            now = self._clock()
            full_again = max(now, self._full_again.get(address, now))
            wait = full_again - now - self._room
            if wait <= 0:
                self._full_again[address] = full_again + self._each
                self._full_again.move_to_end(address)
                if len(self._full_again) > self._most:
                    self._full_again.popitem(last=False)
        if wait > 0:
            seconds = math.ceil(wait)
            raise RefusedError(429, f"too many requests at once; try again in {seconds} s", wait=seconds)
