"""Right answers to the exercises with windows: unfold, fold, convolution and max pooling."""

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from numpynet.functional.conv2d import fold, unfold
from numpynet.functional.windows import pad, window_slices
from tests.learn.right_answers import answers


def indices(C, kernel, stride, dilation, out_size):
    """Three arrays (C KH KW, OH OW): channel, row and column of every number of every window."""
    (KH, KW), (SH, SW), (DH, DW), (OH, OW) = kernel, stride, dilation, out_size
    c, kh, kw = (part.reshape(-1, 1) for part in np.indices((C, KH, KW)))
    oh, ow = (part.reshape(1, -1) for part in np.indices((OH, OW)))
    return c, oh * SH + kh * DH, ow * SW + kw * DW


@answers("unfold")
def unfold_by_indices(image, kernel, stride, dilation, out_size):
    return image[indices(len(image), kernel, stride, dilation, out_size)]


@answers("unfold")
def unfold_by_strides(image, kernel, stride, dilation, out_size):
    c, h, w = image.strides
    shape = (len(image), *kernel, *out_size)
    windows = as_strided(image, shape, (c, h * dilation[0], w * dilation[1], h * stride[0], w * stride[1]))
    return windows.reshape(-1, out_size[0] * out_size[1])


@answers("unfold")
def unfold_by_sliding_windows(image, kernel, stride, dilation, out_size):
    (KH, KW), (SH, SW), (DH, DW), (OH, OW) = kernel, stride, dilation, out_size
    windows = sliding_window_view(image, (DH * (KH - 1) + 1, DW * (KW - 1) + 1), axis=(1, 2))
    windows = windows[:, ::SH, ::SW, ::DH, ::DW][:, :OH, :OW]  # (C, OH, OW, KH, KW)
    return np.ascontiguousarray(windows.transpose(0, 3, 4, 1, 2)).reshape(-1, OH * OW)


@answers("unfold")
def unfold_by_loops(image, kernel, stride, dilation, out_size):
    columns = []
    for oh in range(out_size[0]):
        for ow in range(out_size[1]):
            top, left = oh * stride[0], ow * stride[1]
            rows = slice(top, top + dilation[0] * (kernel[0] - 1) + 1, dilation[0])
            across = slice(left, left + dilation[1] * (kernel[1] - 1) + 1, dilation[1])
            columns.append(image[:, rows, across].ravel())
    return np.stack(columns, axis=1)


@answers("fold")
def fold_by_add_at(dunfolded, dimage, kernel, stride, dilation, out_size):
    np.add.at(dimage, indices(len(dimage), kernel, stride, dilation, out_size), dunfolded)


@answers("fold")
def fold_by_loops(dunfolded, dimage, kernel, stride, dilation, out_size):
    parts = dunfolded.reshape(len(dimage), *kernel, *out_size)
    for c, kh, kw, oh, ow in np.ndindex(parts.shape):
        dimage[c, oh * stride[0] + kh * dilation[0], ow * stride[1] + kw * dilation[1]] += parts[c, kh, kw, oh, ow]
    return dimage


@answers("fold")
def fold_by_counting(dunfolded, dimage, kernel, stride, dilation, out_size):
    flat = np.ravel_multi_index(indices(len(dimage), kernel, stride, dilation, out_size), dimage.shape)
    sums = np.bincount(flat.ravel(), dunfolded.ravel(), dimage.size)
    dimage[...] += sums.reshape(dimage.shape).astype(dimage.dtype)


@answers("conv2d_backward")
def conv2d_backward_by_windows(dout, cache):
    """One window after the other."""
    xp = pad(cache.x, cache.padding)
    dxp, dweight = np.zeros_like(xp), np.zeros_like(cache.weight)
    (SH, SW), (DH, DW), (KH, KW) = cache.stride, cache.dilation, cache.weight.shape[2:]
    for oh in range(dout.shape[2]):
        for ow in range(dout.shape[3]):
            rows = slice(oh * SH, oh * SH + DH * (KH - 1) + 1, DH)
            columns = slice(ow * SW, ow * SW + DW * (KW - 1) + 1, DW)
            arriving = dout[:, :, oh, ow]  # (N, F)
            dweight += np.tensordot(arriving, xp[:, :, rows, columns], axes=(0, 0))
            dxp[:, :, rows, columns] += np.tensordot(arriving, cache.weight, axes=(1, 0))
    PH, PW = cache.padding
    dx = dxp[:, :, PH : dxp.shape[2] - PH, PW : dxp.shape[3] - PW]
    return [dx, dweight, dout.sum((0, 2, 3)) if cache.has_bias else None]


@answers("conv2d_backward")
def conv2d_backward_by_einsum(dout, cache):
    """One element of the kernel after the other, for all images."""
    OH, OW = dout.shape[2:]
    PH, PW = cache.padding
    xp = np.pad(cache.x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    dxp, dweight = np.zeros_like(xp), np.empty_like(cache.weight)
    for kh, kw, rows, columns in window_slices(cache.weight.shape[2:], cache.stride, cache.dilation, (OH, OW)):
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dout, xp[:, :, rows, columns])
        dxp[:, :, rows, columns] += np.einsum("nfhw,fc->nchw", dout, cache.weight[:, :, kh, kw])
    dbias = np.einsum("nfhw->f", dout) if cache.has_bias else None
    return dxp[:, :, PH : PH + cache.x.shape[2], PW : PW + cache.x.shape[3]].copy(), dweight, dbias


@answers("conv2d_backward")
def conv2d_backward_all_images_at_once(dout, cache):
    """The unfolded images side by side as one matrix, and fold with the images as channels."""
    N, F, OH, OW = dout.shape
    C, H, W = cache.x.shape[1:]
    geometry = (cache.weight.shape[2:], cache.stride, cache.dilation, (OH, OW))
    xp = pad(cache.x, cache.padding)
    unfolded = unfold(xp.reshape(-1, *xp.shape[2:]), *geometry).reshape(N, -1, OH * OW)
    flat, filters = dout.reshape(N, F, -1), cache.weight.reshape(F, -1)
    dweight = np.matmul(flat, unfolded.swapaxes(1, 2)).sum(0).reshape(cache.weight.shape)
    dxp = np.zeros((N * C, *xp.shape[2:]), xp.dtype)
    fold(np.matmul(filters.T, flat).reshape(-1, OH * OW), dxp, *geometry)
    dx = dxp.reshape(xp.shape)[..., cache.padding[0] :, cache.padding[1] :][..., :H, :W]
    return dx, dweight, flat.sum((0, 2)) if cache.has_bias else None


@answers("max_pool2d_backward")
def max_pool2d_backward_by_loops(dout, cache):
    dx = np.zeros(cache.shape, dout.dtype)
    for n, c, oh, ow in np.ndindex(dout.shape):
        kh, kw = divmod(int(cache.winner[n, c, oh, ow]), cache.kernel[1])
        h = oh * cache.stride[0] + kh * cache.dilation[0] - cache.padding[0]
        w = ow * cache.stride[1] + kw * cache.dilation[1] - cache.padding[1]
        dx[n, c, h, w] += dout[n, c, oh, ow]
    return dx


@answers("max_pool2d_backward")
def max_pool2d_backward_by_add_at(dout, cache):
    (PH, PW), (H, W) = cache.padding, cache.shape[2:]
    kh, kw = np.divmod(cache.winner.astype(int), cache.kernel[1])
    n, c, oh, ow = np.indices(dout.shape, sparse=True)
    dxp = np.zeros((*cache.shape[:2], *cache.padded), dout.dtype)
    h, w = oh * cache.stride[0] + kh * cache.dilation[0], ow * cache.stride[1] + kw * cache.dilation[1]
    np.add.at(dxp, (n, c, h, w), dout)
    return dxp[:, :, PH:, PW:][:, :, :H, :W]
