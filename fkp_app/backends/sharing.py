"""How a command uses the cores to run a network: whole crops are shared out, and no thread spins.

BLAS and PyTorch can cut every matrix product into parts. One of these lasts less than a millisecond, and whoever is
done first spins until the others are. Where another process has a core, each product waits for it to let go: one frame
a second instead of forty. So each product stays with one thread here, and several threads take several crops each.
"""

from collections.abc import Callable

import numpy as np

from numpynet.typing import Array
from numpynet.workers import get_threads, run

PARTS = 2
"""Parts of a batch for each thread: one that has got less of a busy core leaves the rest to the others."""


def shared(forward: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """`forward`, from crops (N, ...) to outputs (N, ...), with the crops shared out to the threads of
    `numpynet.workers`. It must serve several threads at once."""

    def forward_shared(crops: Array) -> Array:
        threads = min(get_threads(), len(crops))
        if threads < 2:
            return forward(crops)
        parts = np.array_split(crops, min(PARTS * threads, len(crops)))
        outputs = list(parts)  # each is replaced by what becomes of it

        def piece(i: int) -> None:
            outputs[i] = forward(parts[i])

        run(piece, len(parts))
        return np.concatenate(outputs)

    return forward_shared
