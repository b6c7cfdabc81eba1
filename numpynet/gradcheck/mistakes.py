"""Gradients with a mistake made on purpose: a wrong gradient that equals one of them has this mistake.

They are computed by definition, not by the functions of numpynet.functional, which are what is checked.
"""

from collections.abc import Iterator

import numpy as np

from numpynet.functional.windows import window_slices
from numpynet.gradcheck.causes import Suspect
from numpynet.gradcheck.geometry import Geometry
from numpynet.typing import Array, Pair

OVERLAP = "wrong only where windows overlap: += is needed, not ="


def scatter(parts: Iterator[Array], geometry: Geometry, out: Pair, assign: bool = False) -> Array:
    """Each kernel element's part (N, C, OH, OW), added to or assigned to its pixels: (N, C, H, W).

    A forgotten stride or padding leaves pixels over or cuts some off, as it does in an array of the padded size.
    """
    (H, W), kernel, stride, (PH, PW), dilation = geometry
    image: Array | None = None
    for part, (_, _, rows, columns) in zip(parts, window_slices(kernel, stride, dilation, out), strict=False):
        if image is None:
            height = max(H + 2 * PH, dilation[0] * (kernel[0] - 1) + 1 + stride[0] * (out[0] - 1))
            width = max(W + 2 * PW, dilation[1] * (kernel[1] - 1) + 1 + stride[1] * (out[1] - 1))
            image = np.zeros((*part.shape[:2], height, width))
        if assign:
            image[:, :, rows, columns] = part
        else:
            image[:, :, rows, columns] += part
    assert image is not None
    return image[:, :, PH : PH + H, PW : PW + W]


def conv2d_x(dout: Array, weight: Array, geometry: Geometry) -> Iterator[Suspect]:
    """Mistakes in a convolution's dx."""

    def dx(weight: Array, geometry: Geometry, assign: bool = False) -> Array:
        kernel = np.ndindex(weight.shape[2:])
        parts = (np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dout) for kh, kw in kernel)
        return scatter(parts, geometry, geometry_out, assign)

    geometry_out = geometry.out
    for words, mistaken in geometry.mistaken():
        wrong = dx(weight, mistaken)
        unseen = " (not zero where no window looks)" if words != "the padding is missing" else ""
        yield words + unseen, wrong
    yield "the filters are turned by 180 degrees", dx(weight[:, :, ::-1, ::-1], geometry)
    yield OVERLAP, dx(weight, geometry, assign=True)
    if weight.shape[0] == weight.shape[1]:
        yield "filters and channels are swapped", dx(weight.swapaxes(0, 1), geometry)


def conv2d_weight(dout: Array, x: Array, geometry: Geometry) -> Iterator[Suspect]:
    """Mistakes in a convolution's dweight."""
    (PH, PW), (OH, OW) = geometry.padding, geometry.out
    for words, (_, kernel, stride, padding, dilation) in geometry.mistaken():
        # Without its padding the image lies at the top left, and zeros are behind it.
        xp = np.pad(x, ((0, 0), (0, 0), (padding[0], 2 * PH - padding[0]), (padding[1], 2 * PW - padding[1])))
        wrong = [
            np.einsum("nfhw,nchw->fc", dout, xp[:, :, rows, columns])
            for _, _, rows, columns in window_slices(kernel, stride, dilation, (OH, OW))
        ]
        yield words, np.stack(wrong, -1).reshape(*wrong[0].shape, *kernel)


def max_pool2d_x(dout: Array, x: Array, geometry: Geometry) -> Iterator[Suspect]:
    """Mistakes in a max pooling's dx."""
    (PH, PW), (KH, KW), out = geometry.padding, geometry.kernel, geometry.out
    xp = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)), constant_values=-np.inf)
    slices = list(window_slices(geometry.kernel, geometry.stride, geometry.dilation, out))
    winner = np.argmax([xp[:, :, rows, columns] for _, _, rows, columns in slices], axis=0)
    won = [np.where(winner == k, dout, 0) for k in range(KH * KW)]
    yield "each pixel of a window gets its dout: only the largest must", scatter((dout for _ in won), geometry, out)
    share = dout / (KH * KW)
    yield (
        "dout is shared by all pixels of a window: the largest must get all",
        scatter((share for _ in won), geometry, out),
    )
    yield OVERLAP, scatter(iter(won), geometry, out, assign=True)
    for handled in sorted({1, KW} - {KH * KW}):
        words = f"only the first {handled} of the kernel's {KH * KW} elements are handled: the loop ends too early"
        yield words, scatter(iter(won[:handled]), geometry, out)
    for words, mistaken in geometry.mistaken():
        yield words, scatter(iter(won), mistaken, out)


def batch_norm_x(dout: Array, x: Array, weight: Array | None, eps: float) -> Iterator[Suspect]:
    """Mistakes in batch norm's dx, with the statistics of the batch."""
    axes = (0, *range(2, x.ndim))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    slope = 1 / np.sqrt(var + eps)
    if weight is not None:
        slope = slope * weight.reshape(mean.shape)
    through_mean = dout.mean(axes, keepdims=True)
    through_var = x_hat * (dout * x_hat).mean(axes, keepdims=True)
    M = x.size // x.shape[1]
    both = through_mean + through_var
    yield "the statistics are held constant: the paths through mean and variance are missing", slope * dout
    yield "the path through the mean is missing", slope * (dout - through_var)
    yield "the path through the variance is missing", slope * (dout - through_mean)
    yield f"the sums are divided by M - 1 = {M - 1}, not by M = {M}", slope * (dout - both * M / (M - 1))
    yield f"the sums are divided by the {len(x)} images, not by M = {M}", slope * (dout - both * M / len(x))
    yield "the sums are not divided by M", slope * (dout - both * M)


def soft_argmax2d_x(dout: Array, x: Array) -> Iterator[Suspect]:
    """Mistakes in the soft argmax's dx."""
    N, K, H, W = x.shape
    share = np.exp(x - x.max((2, 3), keepdims=True))
    share /= share.sum((2, 3), keepdims=True)
    dx, dy = (dout.reshape(N, K, 2, 1, 1)[:, :, i] for i in (0, 1))
    across, down = ((2 * np.arange(W) + 1) / W - 1)[None, :], ((2 * np.arange(H) + 1) / H - 1)[:, None]
    pull, swapped = dx * across + dy * down, dy * across + dx * down
    mean = (share * pull).sum((2, 3), keepdims=True)
    yield "the mean position is not subtracted", share * pull
    yield "the factor share is missing", pull - mean
    yield "x and y are swapped", share * (swapped - (share * swapped).sum((2, 3), keepdims=True))


def upsample_nearest2d_x(dout: Array, factor: int) -> Iterator[Suspect]:
    """Mistakes in an upsampling's dx."""
    for i, j in np.ndindex(factor, factor):
        yield (
            f"one of each pixel's {factor**2} gradients is taken: their sum is needed",
            dout[:, :, i::factor, j::factor],
        )


def linear_x(dout: Array, weight: Array) -> Iterator[Suspect]:
    """Mistakes in a linear layer's dx."""
    if weight.shape[0] == weight.shape[1]:
        yield "dout weight^T instead of dout weight: no transpose is needed here", dout @ weight.T
