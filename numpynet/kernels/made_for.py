"""The arrays that the compiled loops are made for."""

from collections.abc import Iterable

import numpy as np

from numpynet.typing import AnyArray

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
"""Both in the machine's byte order: Numba knows no other order, and no float16."""
CLASSES = (np.ndarray, np.memmap)
"""Other classes may define another product, or hold more than their numbers."""


def compiled(*arrays: AnyArray, optional: Iterable[AnyArray | None] = ()) -> bool:
    """Whether all arrays have a class of CLASSES and share one dtype of DTYPES. An optional array may be None."""
    given = [*arrays, *(a for a in optional if a is not None)]
    return all(type(a) in CLASSES for a in given) and given[0].dtype in DTYPES and len({a.dtype for a in given}) == 1
