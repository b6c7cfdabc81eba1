"""The moving average of weights on all threads; the rule stands in numpynet/functional/average.py.

The update is bound by reading the memory, which one thread cannot do at full speed. Blocks are views that do not
overlap, so each thread calls the readable function on some of them: the result is the same to the bit.
"""

from numpynet import functional
from numpynet.typing import Array
from numpynet.workers import run

BLOCK = 1 << 16
"""Numbers that a thread updates at a time."""


def average_update(average: Array, weight: Array, share: float) -> None:
    """See `numpynet.functional.average_update`."""
    if not (average.flags.c_contiguous and weight.flags.c_contiguous):
        functional.average_update(average, weight, share)
        return
    a, w = average.reshape(-1), weight.reshape(-1)

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        functional.average_update(a[part], w[part], share)

    run(block, -(-a.size // BLOCK))
