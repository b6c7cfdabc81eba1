"""The Dropout layer."""

import numpy as np

from numpynet.checks import number
from numpynet.dispatch import ops
from numpynet.functional import DropoutCache
from numpynet.module import Module
from numpynet.typing import Array, Seed


class Dropout(Module):
    """In training, zeroes each element with probability `p` and scales the rest by 1 / (1 - p); otherwise nothing.

    As torch.nn.Dropout, but the masks come from the layer's own generator `rng`.
    """

    def __init__(self, p: float = 0.5, *, rng: Seed = None) -> None:
        self.p = number(p, "Dropout: p", least=0, most=1)
        self.rng = np.random.default_rng(rng)

    def forward(self, x: Array) -> tuple[Array, DropoutCache | None]:
        if not self.training:
            return x, None
        return ops().dropout(x, self.p, self.rng)

    def backward(self, dout: Array, cache: DropoutCache | None) -> Array:
        return dout if cache is None else ops().dropout_backward(dout, cache)

    def extra_repr(self) -> str:
        return f"p={self.p}"
