"""The layers: each owns its parameters and buffers, and calls `F`, the functions of `numpynet.functional`, to compute.

All follow one pattern: the constructor checks its arguments and makes the parameters, `forward` calls F.operation,
`backward` calls F.operation_backward and adds the gradients to the parameters. A layer stores no cache, so that one
layer may stand in a network several times.

Constructors have PyTorch's arguments in PyTorch's order, and raise ValueError if one is out of range. So do `forward`
and `backward` if an array does not fit. rng: the seed or generator that the first weights are drawn from; dtype: of the
parameters.
"""

import numpy as np
from numpy.typing import DTypeLike

from numpynet.checks import FLOATS, arrays_of, number, whole
from numpynet.dispatch import F
from numpynet.functional.windows import pair
from numpynet.init import kaiming_uniform
from numpynet.module import Module
from numpynet.parameter import Parameter
from numpynet.typing import AnyArray, Array, Cache, IntOrPair, Pair, Seed

__all__ = ["AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Conv2d", "Dropout", "Flatten", "Linear", "MaxPool2d", "ReLU"]
__all__ += ["SoftArgmax2d", "Upsample"]


class Linear(Module):
    """x weight^T + bias, x (N, in_features) -> (N, out_features) (torch.nn.Linear).

    weight (out_features, in_features) and bias (out_features,) start uniform in ±1 / sqrt(in_features).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: Seed = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        rng = np.random.default_rng(rng)
        self.in_features = in_features = whole(in_features, "Linear: in_features")
        self.out_features = out_features = whole(out_features, "Linear: out_features")
        self.weight = Parameter(kaiming_uniform((out_features, in_features), in_features, rng, dtype))
        self.bias = Parameter(kaiming_uniform((out_features,), in_features, rng, dtype)) if bias else None

    def forward(self, x: Array) -> tuple[Array, Cache]:
        return F.linear(x, self.weight.data, None if self.bias is None else self.bias.data)

    def backward(self, dout: Array, cache: Cache) -> Array:
        dx, dweight, dbias = F.linear_backward(dout, cache)
        self.weight.add_grad(dweight)
        if self.bias is not None and dbias is not None:
            self.bias.add_grad(dbias)
        return dx

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Conv2d(Module):
    """Cross-correlation with learned filters, x (N, in_channels, H, W) -> (N, out_channels, OH, OW) (torch.nn.Conv2d).

    weight (out_channels, in_channels, KH, KW) and bias (out_channels,) start uniform in ±1 / sqrt(in_channels KH KW).
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

    def forward(self, x: Array) -> tuple[Array, Cache]:
        bias = None if self.bias is None else self.bias.data
        return F.conv2d(x, self.weight.data, bias, self.stride, self.padding, self.dilation)

    def backward(self, dout: Array, cache: Cache) -> Array:
        dx, dweight, dbias = F.conv2d_backward(dout, cache)
        self.weight.add_grad(dweight)
        if self.bias is not None and dbias is not None:
            self.bias.add_grad(dbias)
        return dx

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        return text if self.bias is not None else text + ", bias=False"


class _BatchNorm(Module):
    """Normalises each of `num_features` channels: in training by the batch, in evaluation by the running statistics.

    affine: whether to learn a factor `weight` (starts at 1) and an offset `bias` (starts at 0) per channel.
    momentum: the weight of the newest batch in the running statistics; None for the average of all batches so far.
    track_running_stats: if False there are no running statistics, and evaluation normalises by the batch too.
    """

    ndims: tuple[int, ...]
    expected_shape: str

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        name = type(self).__name__
        self.num_features = num_features = whole(num_features, f"{name}: num_features")
        self.eps = number(eps, f"{name}: eps", above=0)
        self.momentum = None if momentum is None else number(momentum, f"{name}: momentum")
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
        self.running_mean: Array | None = None
        self.running_var: Array | None = None
        self.num_batches_tracked: AnyArray | None = None
        if track_running_stats:
            self.buffer_names = ("running_mean", "running_var", "num_batches_tracked")
            self.running_mean = np.zeros(num_features, dtype)
            self.running_var = np.ones(num_features, dtype)
            self.num_batches_tracked = np.zeros((), np.int64)

    def forward(self, x: Array) -> tuple[Array, Cache]:
        self._check(x)
        weight = None if self.weight is None else self.weight.data
        bias = None if self.bias is None else self.bias.data
        if not self.uses_batch():
            return F.batch_norm(x, weight, bias, mean=self.running_mean, var=self.running_var, eps=self.eps)
        out, cache = F.batch_norm(x, weight, bias, eps=self.eps)
        if self.training:
            self.update_running_stats(cache)
        return out, cache

    def uses_batch(self) -> bool:
        """Whether `forward` normalises by the statistics of the batch."""
        return self.training or self.running_mean is None

    def update_running_stats(self, cache: Cache) -> None:
        """Move the running statistics towards those of the batch, which `cache` holds as `mean` and `var`."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        mean, var = F.running_update(self.running_mean, self.running_var, cache, momentum)
        self.running_mean[...], self.running_var[...] = mean, var

    def backward(self, dout: Array, cache: Cache) -> Array:
        dx, dweight, dbias = F.batch_norm_backward(dout, cache)
        if self.weight is not None and self.bias is not None:
            self.weight.add_grad(dweight)
            self.bias.add_grad(dbias)
        return dx

    def _check(self, x: Array) -> None:
        """ValueError if x has another number of axes or channels: F.batch_norm takes any."""
        name = type(self).__name__
        arrays_of(FLOATS, name, x=x)
        if x.ndim not in self.ndims or x.shape[1] != self.num_features:
            expected = self.expected_shape.format(self.num_features)
            raise ValueError(f"{name}: x must have shape {expected}, got {x.shape}")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch norm of x (N, C) or (N, C, L), with statistics per feature C over N and L (torch.nn.BatchNorm1d)."""

    ndims = (2, 3)
    expected_shape = "(N, {0}) or (N, {0}, L)"


class BatchNorm2d(_BatchNorm):
    """Batch norm of x (N, C, H, W), with statistics per channel C over N, H and W (torch.nn.BatchNorm2d)."""

    ndims = (4,)
    expected_shape = "(N, {}, H, W)"


class ReLU(Module):
    """max(x, 0) of each element (torch.nn.ReLU)."""

    def forward(self, x: Array) -> tuple[Array, Cache]:
        return F.relu(x)

    def backward(self, dout: Array, cache: Cache) -> Array:
        return F.relu_backward(dout, cache)


class MaxPool2d(Module):
    """The largest element of each window, x (N, C, H, W) -> (N, C, OH, OW) (torch.nn.MaxPool2d).

    stride: None for the kernel size. padding: at most half the kernel size.
    """

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = pair(kernel_size, "MaxPool2d: kernel_size")
        self.stride = pair(self.kernel_size if stride is None else stride, "MaxPool2d: stride")
        self.padding = pair(padding, "MaxPool2d: padding", 0)
        self.dilation = pair(dilation, "MaxPool2d: dilation")
        self.ceil_mode = ceil_mode
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(
                f"MaxPool2d: padding {self.padding} must be at most half the kernel size {self.kernel_size}"
            )

    def forward(self, x: Array) -> tuple[Array, Cache]:
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def backward(self, dout: Array, cache: Cache) -> Array:
        return F.max_pool2d_backward(dout, cache)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={_short(self.kernel_size)}, stride={_short(self.stride)}, padding={_short(self.padding)}, "
            f"dilation={_short(self.dilation)}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """The mean of each window, x (N, C, H, W) -> (N, C, OH, OW) (torch.nn.AvgPool2d).

    stride: None for the kernel size. padding: at most half the kernel size. count_include_pad: whether the zeros of the
    padding count as numbers of the window.
    """

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = pair(kernel_size, "AvgPool2d: kernel_size")
        self.stride = pair(self.kernel_size if stride is None else stride, "AvgPool2d: stride")
        self.padding = pair(padding, "AvgPool2d: padding", 0)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        if any(2 * self.padding[i] > self.kernel_size[i] for i in (0, 1)):
            raise ValueError(
                f"AvgPool2d: padding {self.padding} must be at most half the kernel size {self.kernel_size}"
            )

    def forward(self, x: Array) -> tuple[Array, Cache]:
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def backward(self, dout: Array, cache: Cache) -> Array:
        return F.avg_pool2d_backward(dout, cache)

    def extra_repr(self) -> str:
        return f"kernel_size={_short(self.kernel_size)}, stride={_short(self.stride)}, padding={_short(self.padding)}"


class Upsample(Module):
    """Each pixel repeated `scale_factor` times down and across, x (N, C, H, W) (torch.nn.Upsample, mode "nearest").

    Unlike there, the factor is a whole number.
    """

    def __init__(self, scale_factor: int = 2) -> None:
        self.scale_factor = whole(scale_factor, "Upsample: scale_factor")

    def forward(self, x: Array) -> tuple[Array, Cache]:
        return F.upsample_nearest2d(x, self.scale_factor)

    def backward(self, dout: Array, cache: Cache) -> Array:
        return F.upsample_nearest2d_backward(dout, cache)

    def extra_repr(self) -> str:
        return f"scale_factor={float(self.scale_factor)}, mode='nearest'"


class SoftArgmax2d(Module):
    """The mean position of each map, x (N, K, H, W) -> (N, 2 K): x and y alternate, the map's edges are at -1 and 1."""

    def forward(self, x: Array) -> tuple[Array, Cache]:
        return F.soft_argmax2d(x)

    def backward(self, dout: Array, cache: Cache) -> Array:
        return F.soft_argmax2d_backward(dout, cache)


class Flatten(Module):
    """Merges all axes from `start_dim` on into one (torch.nn.Flatten)."""

    def __init__(self, start_dim: int = 1) -> None:
        self.start_dim = whole(start_dim, "Flatten: start_dim", 0)

    def forward(self, x: Array) -> tuple[Array, Cache]:
        return F.flatten(x, self.start_dim)

    def backward(self, dout: Array, cache: Cache) -> Array:
        return F.flatten_backward(dout, cache)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim=-1"


class Dropout(Module):
    """In training, sets each element to 0 with probability `p` and scales the others by 1 / (1 - p) (torch.nn.Dropout).

    In evaluation it returns x itself. Unlike PyTorch's, each layer draws its masks from a generator of its own, `rng`.
    """

    def __init__(self, p: float = 0.5, *, rng: Seed = None) -> None:
        self.p = number(p, "Dropout: p", least=0, most=1)
        self.rng = np.random.default_rng(rng)

    def forward(self, x: Array) -> tuple[Array, Cache]:
        if not self.training:
            return x, None
        return F.dropout(x, self.p, self.rng)

    def backward(self, dout: Array, cache: Cache) -> Array:
        return dout if cache is None else F.dropout_backward(dout, cache)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def _short(size: Pair) -> int | Pair:
    """One number if both are equal, as one writes it."""
    return size[0] if size[0] == size[1] else size
