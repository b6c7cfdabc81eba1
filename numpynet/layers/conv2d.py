"""The Conv2d layer."""

import numpy as np
from numpy.typing import DTypeLike

from numpynet.checks import FLOATS, arrays_of, whole
from numpynet.dispatch import ops
from numpynet.functional import Conv2dCache
from numpynet.functional.windows import pair
from numpynet.init import kaiming_uniform
from numpynet.module import Module
from numpynet.parameter import Parameter
from numpynet.typing import Array, IntOrPair, Seed


class Conv2d(Module):
    """Cross-correlation with learned filters, x (N, in_channels, H, W) -> (N, out_channels, OH, OW) (torch.nn.Conv2d).

    weight (out_channels, in_channels, KH, KW) and bias (out_channels,) begin uniform in ±1 / sqrt(in_channels KH KW),
    drawn from `rng`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        bias: bool = True,
        *,
        rng: Seed = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        rng = np.random.default_rng(rng)
        self.in_channels = in_channels = whole(in_channels, "Conv2d: in_channels")
        self.out_channels = out_channels = whole(out_channels, "Conv2d: out_channels")
        self.kernel_size = pair(kernel_size, "Conv2d: kernel_size")
        self.stride = pair(stride, "Conv2d: stride")
        self.padding = pair(padding, "Conv2d: padding", 0)
        self.dilation = pair(dilation, "Conv2d: dilation")
        fan_in = in_channels * self.kernel_size[0] * self.kernel_size[1]
        self.weight = Parameter(kaiming_uniform((out_channels, in_channels, *self.kernel_size), fan_in, rng, dtype))
        self.bias = Parameter(kaiming_uniform((out_channels,), fan_in, rng, dtype)) if bias else None

    def check(self, x: Array) -> None:
        """ValueError where x is not (N, in_channels, H, W)."""
        arrays_of(FLOATS, self, x=x)
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"{self}: x must have shape (N, {self.in_channels}, H, W), got {x.shape}")

    def forward(self, x: Array) -> tuple[Array, Conv2dCache]:
        self.check(x)
        bias = None if self.bias is None else self.bias.data
        return ops().conv2d(x, self.weight.data, bias, self.stride, self.padding, self.dilation)

    def backward(self, dout: Array, cache: Conv2dCache) -> Array:
        dx, dweight, dbias = ops().conv2d_backward(dout, cache)
        self.weight.add_grad(dweight)
        if self.bias is not None:
            self.bias.add_grad(dbias)
        return dx

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        return text if self.bias is not None else text + ", bias=False"
