"""The moving average of weights on all threads; the rule stands in numpynet/functional/average.py.

The update is bound by reading the memory, which one thread cannot do at full speed. Blocks are views that do not
overlap, so each thread calls the readable function on some of them: the result is the same to the bit.
"""

from numpynet import functional
from numpynet.blocks import blocks
from numpynet.typing import Array
from numpynet.workers import run


def average_update(average: Array, weight: Array, share: float) -> None:
    """See `numpynet.functional.average_update`."""
    parts = list(blocks(average, weight))

    def part(i: int) -> None:
        a, w = parts[i]
        functional.average_update(a, w, share)

    run(part, len(parts))
