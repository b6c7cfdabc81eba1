"""Which arrays the compiled loops are made for."""

import numpy as np

from numpynet.typing import AnyArray

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
"""In the machine's order of bytes: Numba knows no other, and no float16."""


def compiled(first: AnyArray, *others: AnyArray | None) -> bool:
    """Whether all are of one of DTYPES, the same; None does not count."""
    return bool(first.dtype in DTYPES and all(a is None or a.dtype == first.dtype for a in others))
