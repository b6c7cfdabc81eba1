"""How convolutions cut their output into strips: each number belongs to one strip, and every strip fits into the cache.

Which strips there are changes no result, so no other test would see a wrong limit; it would only cost time or memory.
"""

import numpy as np
import pytest

from numpynet.kernels import convolution, direct, pointwise, winograd
from numpynet.kernels.windows import geometry_of

BYTES = [1, 500, 2000, 10**4, 10**9]
SIZES = [(1, 1, 1), (1, 7, 5), (2, 8, 8), (3, 9, 6), (5, 24, 13), (16, 2, 3), (17, 12, 12), (40, 1, 2)]
sizes = pytest.mark.parametrize(("N", "OH", "OW"), SIZES)
limits = pytest.mark.parametrize("limit", BYTES)
least = pytest.mark.parametrize("strips", [1, 3, 8])
F, C = 5, 3


def geometry(N, OH, OW, kernel=3):
    """That of an output of N images of OH x OW."""
    return geometry_of((N, C, OH, OW), (F, C, kernel, kernel), (1, 1), (kernel // 2, kernel // 2), (1, 1))


@sizes
@limits
@least
def test_rows_of_an_image(N, OH, OW, limit, strips, monkeypatch):
    """Of direct.py: (image, top, bottom), in order."""
    monkeypatch.setattr(direct, "STRIP_BYTES", limit)
    monkeypatch.setattr(direct, "LEAST_STRIPS", strips)
    cuts = direct.strips_of(geometry(N, OH, OW), N, F, 4)
    assert [(n, h) for n, top, bottom in cuts for h in range(top, bottom)] == [tuple(at) for at in np.ndindex(N, OH)]
    rows, row_bytes, share = cuts[:, 2] - cuts[:, 1], OW * F * 4, -(-N * OH // strips)
    assert (rows > 0).all()
    assert ((rows == 1) | (rows * row_bytes <= limit) & (rows <= share)).all()
    for (_, _, bottom), high in zip(cuts, rows, strict=True):  # no strip could take one row more
        assert bottom == OH or (high + 1) * row_bytes > limit or high + 1 > share


@sizes
@limits
@least
def test_pixels_of_the_batch(N, OH, OW, limit, strips, monkeypatch):
    """Of pointwise.py: (begin, end), in order, across the images."""
    monkeypatch.setattr(pointwise, "STRIP_BYTES", limit)
    monkeypatch.setattr(pointwise, "LEAST_STRIPS", strips)
    pixels = N * OH * OW
    cuts = pointwise.strips_of(geometry(N, OH, OW, 1), N, F, 4)
    assert cuts[0, 0] == 0
    assert cuts[-1, 1] == pixels
    assert (cuts[1:, 0] == cuts[:-1, 1]).all()
    size, share = cuts[:, 1] - cuts[:, 0], -(-pixels // strips)
    assert (size > 0).all()
    assert ((size == 1) | (size * F * 4 <= limit) & (size <= share)).all()
    assert ((size[:-1] + 1) * F * 4 > limit).all() or (size[:-1] + 1 > share).all()


@sizes
@limits
@least
@pytest.mark.parametrize("itemsize", [4, 8])
def test_tiles(N, OH, OW, limit, strips, itemsize, monkeypatch):
    """Of winograd.py: (first image, last, top, bottom), in order; all rows of some images, or some rows of one."""
    monkeypatch.setattr(winograd, "STRIP_BYTES", 20 * limit)
    monkeypatch.setattr(winograd, "LEAST_STRIPS", strips)
    g = geometry(N, OH, OW)
    cuts, size = winograd.strips_of(g, N, F, itemsize), winograd.tile_size(g)
    covered = [(n, h) for first, last, top, bottom in cuts for n in range(first, last) for h in range(top, bottom)]
    assert covered == [tuple(at) for at in np.ndindex(N, OH)]
    tile_bytes, across, share = (size + 2) ** 2 * (C + F) * itemsize, -(-OW // size), -(-N // strips)
    for first, last, top, bottom in cuts:
        images, down = last - first, -(-(bottom - top) // size)
        assert images == 1 or (top, bottom) == (0, OH)
        assert images <= share
        assert images * down * across * tile_bytes <= 20 * limit or (images, down) == (1, 1)
        if bottom < OH:  # whole tiles, as many rows of them as fit
            assert (bottom - top) % size == 0
            assert (down + 1) * across * tile_bytes > 20 * limit
        elif top == 0 and last < N:  # as many images as fit
            assert images + 1 > share or (images + 1) * down * across * tile_bytes > 20 * limit


def test_strips_of_the_networks():
    """With the limits as they are: half a megabyte of output, or a megabyte of points."""
    full = geometry_of((10, 32, 110, 110), (64, 32, 3, 3), (1, 1), (0, 0), (1, 1))  # 27 x 27 tiles, of 13.8 kB each
    rows = [(0, 8), (8, 16), (16, 24), (24, 32), (32, 40), (40, 48), (48, 56), (56, 64), (64, 72), (72, 80), (80, 88)]
    rows += [(88, 96), (96, 104), (104, 108)]
    assert winograd.strips_of(full, 2, 64, 4).tolist() == [[n, n + 1, *row] for n in range(2) for row in rows]
    small = geometry(32, 6, 6)  # tiles of three: 4 in an image; 32 images are 8 strips
    assert winograd.strips_of(small, 32, F, 4).tolist() == [[n, n + 4, 0, 6] for n in range(0, 32, 4)]
    large = geometry_of((2, 1, 224, 224), (32, 1, 4, 4), (1, 1), (0, 0), (1, 1))  # a row of 221 has 28,288 bytes
    assert direct.strips_of(large, 1, 32, 4)[:3].tolist() == [[0, 0, 18], [0, 18, 36], [0, 36, 54]]
    assert pointwise.strips_of(geometry(3, 100, 100, 1), 3, 64, 4)[:2].tolist() == [[0, 2048], [2048, 4096]]
    assert pointwise.strips_of(geometry(1, 5, 6, 1), 1, 64, 4)[-2:].tolist() == [[24, 28], [28, 30]]


def test_few_images_have_as_many_strips_as_threads_need():
    """Eight, less what rounding up takes."""
    assert len(direct.strips_of(geometry(1, 16, 4), 1, F, 4)) == 8
    assert len(direct.strips_of(geometry(1, 9, 4), 1, F, 4)) == 5
    assert len(winograd.strips_of(geometry(16, 8, 8), 16, F, 4)) == 8
    assert len(winograd.strips_of(geometry(9, 8, 8), 9, F, 4)) == 5


@pytest.mark.parametrize(
    ("kernel", "padding", "stride", "dilation", "channels", "module"),
    [
        ((3, 3), (1, 1), (1, 1), (1, 1), 8, winograd),
        ((3, 3), (1, 1), (1, 1), (1, 1), 7, direct),
        ((3, 3), (1, 1), (2, 1), (1, 1), 8, direct),
        ((3, 3), (1, 1), (1, 2), (1, 1), 8, direct),
        ((3, 3), (1, 1), (1, 1), (2, 1), 8, direct),
        ((3, 3), (1, 1), (1, 1), (1, 2), 8, direct),
        ((3, 2), (1, 1), (1, 1), (1, 1), 8, direct),
        ((2, 3), (1, 1), (1, 1), (1, 1), 8, direct),
        ((2, 2), (1, 1), (1, 1), (1, 1), 8, direct),
        ((4, 4), (1, 1), (1, 1), (1, 1), 8, direct),
        ((1, 1), (0, 0), (1, 1), (1, 1), 1, pointwise),
        ((1, 1), (1, 0), (1, 1), (1, 1), 8, direct),
        ((1, 1), (0, 1), (1, 1), (1, 1), 8, direct),
        ((1, 1), (0, 0), (2, 2), (1, 1), 8, direct),
        ((1, 2), (0, 0), (1, 1), (1, 1), 8, direct),
        ((2, 1), (0, 0), (1, 1), (1, 1), 8, direct),
    ],
)
def test_which_way_a_convolution_goes(kernel, padding, stride, dilation, channels, module):
    """Points of fewer than eight channels or filters would leave most of a vector empty."""
    for C, F in ((channels, 9), (9, channels)):
        g = geometry_of((2, C, 9, 8), (F, C, *kernel), stride, padding, dilation)
        assert convolution._way(g, F) is module
        assert convolution.strips(g, 2, F, 4) == len(module.strips_of(g, 2, F, 4))


def test_the_pixels_that_rows_of_outputs_see():
    """Of direct.py, for a 3 x 2 kernel with stride (2, 3) and dilation (1, 4): windows of 3 x 5 pixels."""
    g = geometry_of((1, C, 20, 20), (F, C, 3, 2), (2, 3), (0, 0), (1, 4))
    assert direct._seen(g, 1) == (3, 20, C)  # six windows in a row
    assert direct._seen(g, 4)[0] == 3 + 2 * 3


@pytest.mark.parametrize(
    ("OH", "OW", "size"),
    [
        (12, 9, 3),  # 9 tiles of 36 points, or 12 of 25
        (12, 12, 4),  # 9 of 36 or 16 of 25
        (4, 9, 4),  # 3 of 36 or 6 of 25
        (9, 4, 4),
        (3, 19, 3),  # 5 of 36 or 7 of 25
        (3, 7, 4),  # 2 of 36 or 3 of 25
        (18, 18, 4),  # 25 of 36 or 36 of 25: equal
        (1, 1, 3),
    ],
)
def test_tiles_need_as_few_products_as_can_be(OH, OW, size):
    assert winograd.tile_size(geometry(1, OH, OW)) == size


def tiles(g, strips):
    """The number of tiles of each strip."""
    return winograd._tiles(np.array(strips), g)


def test_tiles_of_strips():
    """Images of 10 x 13 are 3 x 4 tiles of four; the last ones are only partly used."""
    g = geometry(5, 10, 13)
    assert tiles(g, [[0, 1, 0, 4], [0, 1, 4, 10], [2, 3, 0, 10], [0, 5, 0, 10], [1, 4, 0, 10]]) == [4, 8, 12, 60, 36]


@pytest.mark.parametrize(
    ("tiles_in_chunk", "tiles_in_strip", "strips", "expected"),
    [
        (1, 1, 8, [1, 1, 1, 1, 1]),  # less than an image: one image all the same
        (24, 12, 8, [2, 2, 1]),
        (35, 12, 8, [2, 2, 1]),
        (36, 12, 8, [3, 2]),
        (60, 12, 8, [5]),
        (60, 4, 8, [5]),  # strips of a row are made whole images
        (24, 24, 1, [1, 1, 1]),  # strips of two images, and one
        (48, 24, 1, [2, 1]),
        (60, 24, 1, [3]),
    ],
)
def test_chunks(tiles_in_chunk, tiles_in_strip, strips, expected, monkeypatch):
    """Five images of 3 x 4 tiles each, in chunks of as many strips as fit: how many strips each chunk has."""
    tile_bytes = 36 * (C + F) * 4
    monkeypatch.setattr(winograd, "STRIP_BYTES", tile_bytes * tiles_in_strip)
    monkeypatch.setattr(winograd, "CHUNK_BYTES", tile_bytes * tiles_in_chunk)
    monkeypatch.setattr(winograd, "LEAST_STRIPS", strips)
    g = geometry(5, 10, 13)
    chunks = winograd._chunks(g, 5, F, 4)
    assert [len(chunk) for chunk in chunks] == expected
    images = np.concatenate(chunks)
    assert images[0, 0] == 0
    assert images[-1, 1] == 5
    assert (images[1:, 0] == images[:-1, 1]).all()
    assert (images[:, 2:] == (0, 10)).all()
    monkeypatch.setattr(winograd, "CHUNK_BYTES", tile_bytes * tiles_in_chunk - 1)
    if tiles_in_chunk in (24, 36, 60):
        assert len(winograd._chunks(g, 5, F, 4)) > len(expected) or tiles_in_strip > tiles_in_chunk // 2
