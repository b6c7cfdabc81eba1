"""Memory that Winograd's convolutions work in: enough for the largest strip, and no more than they may take."""

import numpy as np
import pytest

from numpynet.kernels import winograd
from numpynet.kernels.lanes import VECTOR_BYTES
from numpynet.kernels.strip_work import plain_gradient
from tests.kernels.test_strips import C, F, geometry


def test_groups_of_images_sum_points_of_their_own_if_these_are_small(monkeypatch):
    """Three images with 36 points of 3 x 5 channels in float64; and the groups are at most as many as the images."""
    shapes = []

    def empty(shape, dtype):
        shapes.append(shape)
        return np.empty(shape, dtype)

    def groups():
        rng = np.random.default_rng(0)
        x, dout, weight = rng.random((3, 4, 4, C)), rng.random((3, 4, 4, F)), rng.random((F, C, 3, 3))
        shapes.clear()
        winograd.gradients(x, weight, geometry(3, 4, 4), plain_gradient(dout))
        (found,) = (shape[0] for shape in shapes if len(shape) == 4 and shape[1:] == (36, C, F))
        return found

    monkeypatch.setattr(winograd, "empty", empty)
    for most, expected in ((2, 2), (16, 3)):
        monkeypatch.setattr(winograd, "GROUPS", most)
        monkeypatch.setattr(winograd, "SMALL", 36 * C * F * 8)
        assert groups() == expected
        monkeypatch.setattr(winograd, "SMALL", 36 * C * F * 8 - 1)
        assert groups() == 1


@pytest.mark.parametrize(("filters", "tasks"), [(8192, 1), (8193, 2), (16384, 2), (24577, 4), (10**5, 8), (1, 1)])
def test_points_of_filters_are_computed_in_a_task_per_8192_weights(filters, tasks):
    assert winograd._blocks(np.empty(filters)) == tasks


def test_working_memory_is_large_enough_and_no_larger():
    """For the larger of two strips of 13 columns: 6 rows, or 7 tiles of four; three points' rows never share a page's
    first line."""
    g = geometry(5, 10, 13)
    strips = np.array([[0, 1, 0, 4], [0, 1, 4, 10]])
    pixels, outputs, V, M = winograd._working_memory(strips, g, F, np.dtype(np.float32))
    assert pixels.shape == (8 + 2, 16 + 2, C)
    assert outputs.shape == (8, 16, F)
    for points in (V, M):
        assert points.shape == (36, (4096 + VECTOR_BYTES) // 4)
    many = winograd._working_memory(np.array([[0, 5, 0, 10]]), g, F, np.dtype(np.float64))
    assert [array.shape for array in many[:2]] == [(12 + 2, 16 + 2, C), (12, 16, F)]
    assert [array.dtype for array in many] == [np.float64] * 4


@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(np.float64)])
@pytest.mark.parametrize(("T", "channels"), [(1, 1), (60, 5), (1024, 1), (1025, 1), (4097, 1), (729, 64)])
def test_a_row_of_points_begins_a_little_behind_the_page_of_the_last(T, channels, dtype):
    points = winograd._points_array(geometry(5, 10, 13), T, channels, dtype)
    size, needed = points.shape[1] * dtype.itemsize, T * channels * dtype.itemsize
    assert len(points) == 36
    assert size % 4096 == VECTOR_BYTES
    assert needed <= size - VECTOR_BYTES < needed + 4096
