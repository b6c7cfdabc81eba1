"""Convolutions of every geometry, and how Winograd cuts them."""

import numpy as np
import pytest

from numpynet import functional
from numpynet.kernels.windows import geometry_of
from tests.kernels.small.comparing import conv2d, direct, dtypes, same, unchanged, winograd

GEOMETRIES = {  # kernel (KH, KW) and options, for images of 7 x 8 pixels
    "plain": ((3, 3), {}),
    "stride and padding": ((3, 2), {"stride": 2, "padding": 1}),
    "everything by axis": ((2, 3), {"stride": (1, 3), "padding": (0, 2), "dilation": (2, 1)}),
    "stride larger than the kernel": ((1, 2), {"stride": 3, "padding": (2, 0), "dilation": (1, 2)}),
    "padding larger than the kernel": ((2, 2), {"padding": 5}),
    "dilation by axis, padding": ((2, 3), {"padding": 1, "dilation": (1, 3)}),
    "stride and dilation by axis": ((1, 3), {"stride": 2, "dilation": (1, 2)}),
    "kernel as large as the image": ((7, 8), {}),
    "1 x 1": ((1, 1), {}),
    "1 x 1, stride": ((1, 1), {"stride": 2}),
    "1 x 1, vertical stride": ((1, 1), {"stride": (2, 1)}),
    "1 x 1, padding": ((1, 1), {"padding": 1}),
    "1 x 1, horizontal padding": ((1, 1), {"padding": (0, 1)}),
    "as wide as the image": ((3, 3), {"padding": 1}),
    "as wide as the image, dilation": ((1, 5), {"padding": (2, 4), "dilation": 2}),
    "as wide as the image, fewer rows": ((2, 3), {"padding": (0, 1)}),
    "as wide as the image, vertical stride": ((3, 3), {"stride": (2, 1), "padding": 1}),
    "1 x 1, as wide as the image by horizontal stride": ((1, 1), {"stride": (1, 2), "padding": (0, 4)}),
    "outer columns see only padding": ((1, 3), {"padding": (0, 9), "dilation": (1, 9)}),
    "outer rows see only padding": ((2, 1), {"padding": (9, 0)}),
    "outer rows and columns of the kernel see only padding": ((3, 3), {"padding": (9, 1), "dilation": (9, 1)}),
}


@dtypes
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("bias", [True, False])
def test_conv2d(geometry, bias, dtype, random):
    kernel, options = GEOMETRIES[geometry]
    x, weight = random((3, 2, 7, 8), dtype), random((4, 2, *kernel), dtype)
    b = random(4, dtype) if bias else None
    out, cache = unchanged((x, weight), lambda: conv2d.conv2d(x, weight, b, **options))
    expected, readable = functional.conv2d(x, weight, b, **options)
    same(out, expected, dtype)
    dout = random(out.shape, dtype)
    gradients = unchanged((dout, x, weight), lambda: conv2d.conv2d_backward(dout, cache))
    wanted = functional.conv2d_backward(dout, readable)
    assert (gradients[2] is None) == (not bias)
    for got, want in zip(gradients[: 2 + bias], wanted[: 2 + bias], strict=True):
        same(got, want, dtype)


def test_an_image_is_cut_into_strips_that_fit(monkeypatch):
    """Rows of tiles of two images, 8 x 3 tiles each: two rows fit into a strip."""
    g = geometry_of((2, 3, 31, 12), (20, 3, 3, 3), (1, 1), (1, 1), (1, 1))
    monkeypatch.setattr(winograd, "STRIP_BYTES", 36 * (3 + 20) * 4 * 8)
    strips = winograd.strips_of(g, 2, 20, 4)
    rows = [(0, 8), (8, 16), (16, 24), (24, 31)]
    assert strips.tolist() == [[n, n + 1, *row] for n in range(2) for row in rows]
    monkeypatch.setattr(winograd, "STRIP_BYTES", 1)
    assert winograd.strips_of(g, 2, 20, 4)[1].tolist() == [0, 1, 4, 8]
    monkeypatch.setattr(winograd, "STRIP_BYTES", 10**9)
    assert winograd.strips_of(g, 2, 20, 4).tolist() == [[0, 1, 0, 31], [1, 2, 0, 31]]


@pytest.mark.parametrize("limit", ["STRIP_BYTES", "LEAST_STRIPS"])
def test_small_images_come_several_to_a_strip(monkeypatch, limit):
    """Three of ten images per strip, under each of the limits; an image has 2 x 2 tiles."""
    g = geometry_of((10, 3, 8, 7), (20, 3, 3, 3), (1, 1), (1, 1), (1, 1))
    monkeypatch.setattr(winograd, "STRIP_BYTES", 36 * (3 + 20) * 4 * 15 if limit == "STRIP_BYTES" else 10**9)
    monkeypatch.setattr(winograd, "LEAST_STRIPS", 1 if limit == "STRIP_BYTES" else 4)
    assert winograd.strips_of(g, 10, 20, 4).tolist() == [[0, 3, 0, 8], [3, 6, 0, 8], [6, 9, 0, 8], [9, 10, 0, 8]]


@pytest.mark.parametrize(("side", "size"), [(3, 3), (4, 4), (5, 3), (6, 3), (7, 4), (8, 4), (9, 3), (12, 4), (24, 4)])
def test_tiles_have_the_size_that_needs_fewer_products(side, size):
    g = geometry_of((1, 8, side, side), (8, 8, 3, 3), (1, 1), (1, 1), (1, 1))
    assert winograd.tile_size(g) == size


@pytest.mark.parametrize("geometry", ["everything by axis", "stride and padding", "padding larger than the kernel"])
def test_strips_of_two_rows(geometry, monkeypatch, random):
    """By the definition, where the rows of a strip are one call of the product; the last strip may have one row."""
    kernel, options = GEOMETRIES[geometry]
    x, weight = random((2, 3, 9, 8), np.float64), random((4, 3, *kernel), np.float64)
    expected, _ = functional.conv2d(x, weight, None, **options)
    monkeypatch.setattr(direct, "STRIP_BYTES", 2 * expected[0, :, 0].nbytes)
    monkeypatch.setattr(direct, "LEAST_STRIPS", 1)
    same(conv2d.conv2d(x, weight, None, **options)[0], expected, np.float64)
