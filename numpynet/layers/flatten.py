"""The Flatten layer."""

from numpynet.checks import whole
from numpynet.dispatch import ops
from numpynet.functional import FlattenCache
from numpynet.module import Module
from numpynet.typing import Array


class Flatten(Module):
    """All dimensions from `start_dim` on become one (torch.nn.Flatten)."""

    def __init__(self, start_dim: int = 1) -> None:
        self.start_dim = whole(start_dim, "Flatten: start_dim", 0)

    def forward(self, x: Array) -> tuple[Array, FlattenCache]:
        return ops().flatten(x, self.start_dim)

    def backward(self, dout: Array, cache: FlattenCache) -> Array:
        return ops().flatten_backward(dout, cache)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim=-1"
