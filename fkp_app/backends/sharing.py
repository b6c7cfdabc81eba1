"""How a command uses several cores to run a network: each thread computes whole crops, and no thread spins.

BLAS and PyTorch can split every matrix product among threads. A part takes less than a millisecond, and a thread that
finishes its part spins until the others finish theirs. If another process occupies a core, every product waits for that
core: one frame per second instead of forty. So one thread computes each product here, and each thread takes several
crops.
"""

from collections.abc import Callable

import numpy as np

from numpynet.typing import Array
from numpynet.workers import get_threads, run

PARTS = 2
"""Parts of a batch per thread: if a thread shares its core with another process, other threads take its second part."""


def shared(forward: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """`forward`, from crops (N, ...) to outputs (N, ...), with the crops divided among the threads of
    `numpynet.workers`.

    `forward` must be safe to call from several threads at once.
    """

    def forward_shared(crops: Array) -> Array:
        threads = min(get_threads(), len(crops))
        if threads < 2:
            return forward(crops)
        parts = np.array_split(crops, min(PARTS * threads, len(crops)))
        outputs = list(parts)  # each is replaced by its outputs

        def piece(i: int) -> None:
            outputs[i] = forward(parts[i])

        run(piece, len(parts))
        return np.concatenate(outputs)

    return forward_shared
