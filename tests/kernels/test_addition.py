"""The sum of two maps is NumPy's, in memory that is recycled where both have one order."""

import numpy as np
import pytest

from numpynet.kernels import add, addition
from numpynet.kernels.pixels import has_channels_last, images_of
from tests.seeds import seeded

SHAPE = (2, 3, 40, 300)


def images(order, dtype, seed):
    numbers = seeded(seed).standard_normal(SHAPE).astype(dtype)
    return images_of(np.ascontiguousarray(numbers.transpose(0, 2, 3, 1))) if order == "channels last" else numbers


@pytest.mark.parametrize("dtypes", [(np.float32, np.float32), (np.float64, np.float64), (np.float32, np.float64)])
@pytest.mark.parametrize("order", ["channels last", "channels first"])
@pytest.mark.parametrize("other", ["channels last", "channels first"])
def test_the_sum_is_numpys_in_the_order_of_the_maps(order, other, dtypes, monkeypatch):
    borrowed = []

    def empty(shape, dtype):
        borrowed.append(shape)
        return np.full(shape, np.nan, dtype)

    monkeypatch.setattr(addition, "empty", empty)
    x, y = images(order, dtypes[0], 0), images(other, dtypes[1], 1)
    before = x.copy(), y.copy()
    out = add(x, y)
    np.testing.assert_array_equal(out, x + y)
    assert out.dtype == np.result_type(x, y)
    assert len(borrowed) == (order == other and dtypes[0] == dtypes[1])
    if order == other:
        assert has_channels_last(out) == (order == "channels last")
    np.testing.assert_array_equal((x, y), before)


def test_other_shapes_are_added_as_numpy_adds_them():
    x, row = np.ones((2, 3), np.float32), np.arange(3, dtype=np.float32)
    for out in (add(x, row), add(row, x)):
        np.testing.assert_array_equal(out, [[1, 2, 3], [1, 2, 3]])
    with pytest.raises(ValueError, match="broadcast"):
        add(x, np.ones((2, 4), np.float32))
