"""What the tests of refused arguments share: arrays that fit each other, and the check of both sides."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from numpynet import Parameter
from numpynet.typing import AnyArray
from tests.seeds import seeded

NAN, INF = math.nan, math.inf
X = seeded("refused").standard_normal((4, 3, 6, 6)).astype(np.float32)
WEIGHT = X[:2, :, :3, :3]  # (2, 3, 3, 3): filters for X
ROWS, MATRIX = X[:, :, 0, 0], X[0, :, 0, :3]  # (4, 3), (3, 3): inputs and weight of a linear layer
ONES = np.ones(3, np.float32)  # a vector for three channels or features
WHOLE = np.ones((4, 3), np.int64)


def t(array: AnyArray) -> torch.Tensor:
    """The array as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(array))


def parameters() -> list[Parameter]:
    """Something that an optimizer can move."""
    return [Parameter(np.ones(2))]


def refuse(ours: Callable[[], object], theirs: Callable[[], object], words: str) -> None:
    """PyTorch's call must fail, and numpynet's by a ValueError whose message matches `words`."""
    with pytest.raises((ValueError, RuntimeError, TypeError, NotImplementedError, IndexError)):
        theirs()
    with pytest.raises(ValueError, match=words):
        ours()
