"""What tests of the vectors' loops share."""

import numba
import pytest

from numpynet.kernels import tile_product, vector_loops


@pytest.fixture(params=["compiled", "uncompiled"])
def compiling(request, monkeypatch):
    """Loops made in this test are compiled, and in NumPy, whatever NUMBA_DISABLE_JIT says to the rest."""
    disabled = request.param == "uncompiled"
    monkeypatch.setattr(numba.config, "DISABLE_JIT", int(disabled))
    for module in (vector_loops, tile_product):
        monkeypatch.setattr(module, "DISABLED", disabled)
    return not disabled
