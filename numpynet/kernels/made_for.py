"""Which arrays the compiled loops are made for."""

from collections.abc import Iterable

import numpy as np

from numpynet.typing import AnyArray

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
"""In the machine's order of bytes: Numba knows no other, and no float16."""
CLASSES = (np.ndarray, np.memmap)
"""Others may mean something else by a product, or hold more than their numbers."""


def compiled(*arrays: AnyArray, optional: Iterable[AnyArray | None] = ()) -> bool:
    """Whether all are of CLASSES and of one of DTYPES, the same; of the optional ones, None does not count."""
    given = [*arrays, *(a for a in optional if a is not None)]
    return all(type(a) in CLASSES for a in given) and given[0].dtype in DTYPES and len({a.dtype for a in given}) == 1
