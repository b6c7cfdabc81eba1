"""The MaxPool2d layer."""

from numpynet.dispatch import ops
from numpynet.functional import MaxPool2dCache
from numpynet.functional.windows import pair
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
        """ValueError where an argument is no size, or the padding more than half of the kernel."""
        kernel, pads = pair(kernel_size, "MaxPool2d: kernel_size"), pair(padding, "MaxPool2d: padding", 0)
        if any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
            raise ValueError(f"MaxPool2d: padding {pads} must be at most half the kernel size {kernel}")
        pair(kernel if stride is None else stride, "MaxPool2d: stride")
        pair(dilation, "MaxPool2d: dilation")
        self.kernel_size = kernel_size  # as given: so PyTorch prints it
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
