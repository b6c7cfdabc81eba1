"""The ConvBlock layer: a convolution, its batch norm, ReLU and perhaps a pool as one. `numpynet.fuse` makes them."""

import numpy as np

from numpynet.dispatch import ops
from numpynet.functional import ConvBlockCache
from numpynet.layers.batch_norm import BatchNorm2d
from numpynet.layers.conv2d import Conv2d
from numpynet.module import Module
from numpynet.typing import Array


class ConvBlock(Module):
    """`conv`, `bn`, ReLU and a max pool of 2 x 2, x (N, C, H, W) -> (N, F, OH // 2, OW // 2).

    It owns no parameters: they stay with the two layers that it is made of.

    pool: where False, there is no pool, and the output is (N, F, OH, OW).

    input_gradient: where False, `backward` does not compute dx and returns None; for a network's first layer.

    ValueError where the convolution has a stride or a dilation.
    """

    def __init__(self, conv: Conv2d, bn: BatchNorm2d, input_gradient: bool = True, pool: bool = True) -> None:
        if conv.stride != (1, 1) or conv.dilation != (1, 1) or conv.out_channels != bn.num_features:
            raise ValueError(f"ConvBlock: {conv} and {bn} cannot be fused")
        self.conv = conv
        self.bn = bn
        self.input_gradient = input_gradient
        self.pool = pool

    def forward(self, x: Array) -> tuple[Array, ConvBlockCache]:
        self.conv.check(x)
        mean, var = (None, None) if self.bn.uses_batch() else (self.bn.running_mean, self.bn.running_var)
        out, cache = ops().conv_block(
            x, *self._of_conv(), *self._of_bn(), mean, var, padding=self.conv.padding, eps=self.bn.eps, pool=self.pool
        )
        if self.bn.training:
            self.bn.remember(cache.statistics)
        return out, cache

    def backward(self, dout: Array, cache: ConvBlockCache) -> Array:
        gradients = ops().conv_block_backward(dout, cache, self.input_gradient)
        self.conv.weight.add_grad(gradients.dweight)
        if self.conv.bias is not None:
            self.conv.bias.add_grad(gradients.dbias)
        if self.bn.weight is not None and self.bn.bias is not None:
            self.bn.weight.add_grad(gradients.dscale)
            self.bn.bias.add_grad(gradients.dshift)
        return gradients.dx

    def __call__(self, x: Array) -> Array:
        """The output alone. In evaluation batch norm is constant, and becomes part of the filters."""
        mean, var = self.bn.running_mean, self.bn.running_var
        if self.bn.uses_batch() or mean is None or var is None:
            return self.forward(x)[0]
        self.conv.check(x)
        weight, bias = self._of_conv()
        scale, shift = self._of_bn()
        slope = 1 / np.sqrt(var + var.dtype.type(self.bn.eps))  # (F,)
        if scale is not None:
            slope = slope * scale
        offset = -mean * slope if bias is None else (bias - mean) * slope
        if shift is not None:
            offset = offset + shift
        weight = weight * slope[:, None, None, None]  # (F, 1, 1, 1)
        if self.pool:  # the offset comes after it, on a quarter as many numbers
            out = _pool(ops().conv2d(x, weight, padding=self.conv.padding)[0])
            out += offset[:, None, None]  # (F, 1, 1)
        else:
            out, _ = ops().conv2d(x, weight, offset, padding=self.conv.padding)
        return np.maximum(out, 0, out=out)

    def _of_conv(self) -> tuple[Array, Array | None]:
        return self.conv.weight.data, None if self.conv.bias is None else self.conv.bias.data

    def _of_bn(self) -> tuple[Array | None, Array | None]:
        if self.bn.weight is None or self.bn.bias is None:
            return None, None
        return self.bn.weight.data, self.bn.bias.data


def _pool(x: Array) -> Array:
    """The largest of each 2 x 2 window: (N, F, OH, OW) -> (N, F, OH // 2, OW // 2)."""
    PH, PW = x.shape[2] // 2, x.shape[3] // 2
    if not (PH and PW):
        raise ValueError(f"max_pool2d: x of shape {x.shape} is smaller than the kernel (2, 2)")
    rows = np.maximum(x[:, :, 0 : 2 * PH : 2], x[:, :, 1 : 2 * PH : 2])  # (N, F, PH, OW)
    return np.maximum(rows[..., 0 : 2 * PW : 2], rows[..., 1 : 2 * PW : 2])  # (N, F, PH, PW)
