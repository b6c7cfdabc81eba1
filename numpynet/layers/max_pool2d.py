"""The MaxPool2d layer."""

from numpynet.dispatch import ops
from numpynet.functional import MaxPool2dCache
from numpynet.module import Module
from numpynet.typing import Array, IntOrPair


class MaxPool2d(Module):
    """The largest number of each window (torch.nn.MaxPool2d); `stride` is the kernel's size where it is None."""

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode

    def forward(self, x: Array) -> tuple[Array, MaxPool2dCache]:
        return ops().max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def backward(self, dout: Array, cache: MaxPool2dCache) -> Array:
        return ops().max_pool2d_backward(dout, cache)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )
