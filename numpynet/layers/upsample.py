"""The Upsample layer."""

from numpynet.checks import whole
from numpynet.dispatch import ops
from numpynet.functional import UpsampleNearest2dCache
from numpynet.module import Module
from numpynet.typing import Array


class Upsample(Module):
    """Every pixel `scale_factor` times each way, x (N, C, H, W) (torch.nn.Upsample, mode "nearest", whole factors)."""

    def __init__(self, scale_factor: int = 2) -> None:
        self.scale_factor = whole(scale_factor, "Upsample: scale_factor")

    def forward(self, x: Array) -> tuple[Array, UpsampleNearest2dCache]:
        return ops().upsample_nearest2d(x, self.scale_factor)

    def backward(self, dout: Array, cache: UpsampleNearest2dCache) -> Array:
        return ops().upsample_nearest2d_backward(dout, cache)

    def extra_repr(self) -> str:
        return f"scale_factor={float(self.scale_factor)}, mode='nearest'"
