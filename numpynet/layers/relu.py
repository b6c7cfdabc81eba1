"""The ReLU layer."""

from numpynet.dispatch import ops
from numpynet.functional import ReLUCache
from numpynet.module import Module
from numpynet.typing import Array


class ReLU(Module):
    """max(x, 0), element by element (torch.nn.ReLU)."""

    def forward(self, x: Array) -> tuple[Array, ReLUCache]:
        return ops().relu(x)

    def backward(self, dout: Array, cache: ReLUCache) -> Array:
        return ops().relu_backward(dout, cache)
