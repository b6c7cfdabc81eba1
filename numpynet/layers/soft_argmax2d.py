"""The SoftArgmax2d layer."""

from numpynet.dispatch import ops
from numpynet.functional import SoftArgmax2dCache
from numpynet.module import Module
from numpynet.typing import Array


class SoftArgmax2d(Module):
    """The mean position of each map, x (N, K, H, W) -> (N, 2 K): x and y in turn, the map's edges at -1 and 1."""

    def forward(self, x: Array) -> tuple[Array, SoftArgmax2dCache]:
        return ops().soft_argmax2d(x)

    def backward(self, dout: Array, cache: SoftArgmax2dCache) -> Array:
        return ops().soft_argmax2d_backward(dout, cache)
