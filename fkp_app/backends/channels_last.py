"""A trained network made ready to look at faces as fast as NumPy can, without a compiler.

`numpynet.fuse` shares the weights with a network that may still learn; here they are final. So each batch norm is
folded into its filters once, when the network is loaded. An image is (H, W, C), channels last: the pixels that one row
of a filter sees lie side by side in memory. So unfolding copies runs of 3 C numbers, and a layer is one long matrix
product, (H W, 9 C) @ (9 C, F).
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import as_strided

from numpynet.functional.conv_block import fold_batch_norm, max_pool_2x2
from numpynet.functional.soft_argmax2d import soft_argmax2d
from numpynet.fuse import ConvBlock, fuse
from numpynet.layers import Conv2d, MaxPool2d, SoftArgmax2d, Upsample
from numpynet.module import Module, Residual
from numpynet.typing import Array

Step = Callable[[Array], Array]
"""A layer as a function of one image (H, W, C)."""

BAND = 1 << 18
"""The most numbers that a band of rows unfolds to: they stay in the cache of a core."""

Spread = Callable[[Callable[[int], None], int], None]
"""Calls a function with 0 .. n - 1, in any order."""

KNOWN = (ConvBlock, Conv2d, MaxPool2d, Residual, SoftArgmax2d, Upsample)
"""The layers that have a counterpart here. A subclass may compute something else."""


def in_turn(piece: Callable[[int], None], count: int) -> None:
    """Call piece(i) for i = 0 .. count - 1, one after the other."""
    for i in range(count):
        piece(i)


def channels_last(net: Module) -> Callable[[Array], Array] | None:
    """A function that computes what `net` computes in evaluation, to within rounding: images (N, C, H, W) float32 ->
    outputs (N, K) float32. It keeps the weights as they are now. Threads may share it.

    None if the network has a layer that has no counterpart here, such as the linear layers of KeypointNet.
    """
    whole = of_one_image(net)
    if whole is None:
        return None

    def forward(images: Array) -> Array:
        if not len(images):
            return fuse(net)(images)
        return np.stack([whole(image.transpose(1, 2, 0)).ravel() for image in images])  # (C, H, W) -> (H, W, C)

    return forward


def of_one_image(net: Module, spread: Spread = in_turn) -> Step | None:
    """The same for one image (H, W, C) of any size that the network takes: (OH, OW, K), channels last, too.

    spread: how the bands of a large image are computed: `in_turn`, or by `numpynet.workers.run` on several threads, if
    BLAS uses one thread in this process.
    """
    try:
        return _chain(fuse(net).layers, spread)
    except LookupError:
        return None


def _chain(layers: list[Module], spread: Spread) -> Step:
    steps = [_step(layer, spread) for layer in layers]

    def chain(x: Array) -> Array:
        for step in steps:
            x = step(x)
        return x

    return chain


def _step(layer: Module, spread: Spread) -> Step:
    """The layer as a function of one image. LookupError if there is none."""
    if type(layer) not in KNOWN:
        raise LookupError(repr(layer))
    match layer:
        case ConvBlock():
            return _block(layer, spread)
        case Conv2d(stride=(1, 1), dilation=(1, 1)):
            bias = np.float32(0) if layer.bias is None else layer.bias.data
            return _convolution(layer.weight.data, layer.padding, lambda out: out + bias, spread)
        case Residual():
            body = _chain(layer.path(), spread)
            return lambda x: x + body(x)
        case MaxPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1), ceil_mode=False):
            return _max_pool
        case Upsample():
            factor = layer.scale_factor
            return lambda x: x.repeat(factor, axis=0).repeat(factor, axis=1)
        case SoftArgmax2d():
            return lambda x: soft_argmax2d(_maps(x))[0]
    raise LookupError(repr(layer))


def _block(layer: ConvBlock, spread: Spread) -> Step:
    """Convolution with the batch norm folded in, ReLU, and the pool if the block has one."""
    conv, bn = layer.conv, layer.bn
    if bn.running_mean is None or bn.running_var is None:
        raise LookupError(repr(bn))
    bias, scale, shift = (None if one is None else one.data for one in (conv.bias, bn.weight, bn.bias))
    ones = np.ones((conv.out_channels, 1, 1, 1), np.float32)  # folded, they are the slopes of the batch norm
    slope, offset = fold_batch_norm(ones, bias, scale, shift, bn.running_mean, bn.running_var, bn.eps)

    def end(out: Array) -> Array:
        if layer.pool:  # the offset is added after the pool, to a quarter as many numbers
            out = _max_pool(out)
        out += offset
        return np.maximum(out, 0, out=out)

    return _convolution(conv.weight.data, conv.padding, end, spread, slope.ravel())


def _convolution(
    weight: Array, padding: tuple[int, int], end: Step, spread: Spread, slope: Array | float = 1.0
) -> Step:
    """The convolution of an image (H, W, C) with the filters slope (F) times weight (F, C, KH, KW), and what follows.

    end: what follows: from an even number of rows (OH, OW, F), or the last ones, to the layer's output. A large image
    is computed a band of rows at a time, so that what a band unfolds to stays in the processor's cache. spread: how the
    bands are computed.
    """
    F, C, KH, KW = weight.shape
    PH, PW = padding
    filters: Array = np.empty((KH * KW * C, F), np.float32)
    np.multiply(weight.transpose(2, 3, 1, 0), slope, out=filters.reshape(KH, KW, C, F))

    def rows(xp: Array) -> Array:
        OH, OW = xp.shape[0] - KH + 1, xp.shape[1] - KW + 1
        row, pixel, number = xp.strides
        if C == 1:  # longer runs than KW numbers: whole rows of the image
            windows = as_strided(xp, (KH, KW, OH, OW), (row, pixel, row, pixel), writeable=False)
            unfolded = windows.reshape(KH * KW, OH * OW).T
        else:
            windows = as_strided(xp, (OH, OW, KH, KW * C), (row, pixel, row, number), writeable=False)
            unfolded = windows.reshape(OH * OW, KH * KW * C)
        return end((unfolded @ filters).reshape(OH, OW, F))

    def convolution(x: Array) -> Array:
        H, W, _ = x.shape
        xp = np.zeros((H + 2 * PH, W + 2 * PW, C), np.float32)
        xp[PH : PH + H, PW : PW + W] = x
        OH, OW = xp.shape[0] - KH + 1, xp.shape[1] - KW + 1
        high = 2 * max(1, BAND // (2 * OW * max(KH * KW * C, F)))
        if high >= OH:
            return rows(xp)
        parts: list[Array] = [xp] * -(-OH // high)  # each is replaced by its result

        def piece(i: int) -> None:
            parts[i] = rows(xp[i * high : min(OH, (i + 1) * high) + KH - 1])

        spread(piece, len(parts))
        return np.concatenate(parts)

    return convolution


def _max_pool(x: Array) -> Array:
    """The largest number of each 2 x 2 window: (H, W, C) -> (H // 2, W // 2, C)."""
    return max_pool_2x2(_maps(x))[0].transpose(1, 2, 0)  # (1, C, H // 2, W // 2) -> (H // 2, W // 2, C)


def _maps(x: Array) -> Array:
    """An image (H, W, C) as a batch of one, (1, C, H, W). It is a view: the numbers stay where they are."""
    return x.transpose(2, 0, 1)[None]
