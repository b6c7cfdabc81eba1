"""Functions that only move numbers take every numeric dtype, also complex, but no list, matrix or masked array."""

import numpy as np
import pytest

from numpynet import functional, kernels

IMAGES = np.arange(8.0).reshape(1, 2, 2, 2)
STRANGE = {
    "list": IMAGES.tolist(),
    "NoneType": None,
    "matrix": np.asmatrix(IMAGES[0, 0]),
    "MaskedArray": np.ma.masked_array(IMAGES, IMAGES == 0),
    "object": IMAGES.astype(object),
}
CALLS = {
    "flatten": lambda F, a: F.flatten(a),
    "upsample_nearest2d": lambda F, a: F.upsample_nearest2d(a, 2),
}


@pytest.mark.parametrize("module", [functional, kernels])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_array_of_numbers_is_named(module, name, kind):
    with pytest.raises(ValueError, match=f"^{name}: x must be an array of numbers, got {kind}$"):
        CALLS[name](module, STRANGE[kind])


@pytest.mark.parametrize("module", [functional, kernels])
@pytest.mark.parametrize("name", CALLS)
def test_complex_numbers_are_moved(module, name):
    out, _ = CALLS[name](module, IMAGES + 1j)
    np.testing.assert_array_equal(out, CALLS[name](module, IMAGES)[0] + 1j)
