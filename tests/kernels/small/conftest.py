"""Kernels that take a few numbers for many."""

import numpy as np
import pytest

from numpynet import functional
from numpynet.workers import set_threads
from tests.kernels.small.comparing import (
    adam,
    batch_norm,
    conv2d,
    conv_block,
    convolution,
    direct,
    linear,
    max_pool2d,
    pointwise,
    relu,
    upsample,
    winograd,
)
from tests.seeds import seeded


class FailingFunctional:
    """Replaces `numpynet.functional`: it has the types, but every call of a function fails."""

    def __getattr__(self, name):
        if name.endswith("Cache"):
            return getattr(functional, name)
        raise AssertionError(f"{name} was passed on to the readable function")


@pytest.fixture
def rng(request):
    """One generator per test, so that its numbers do not depend on which other tests run."""
    return seeded(request.node.name)


@pytest.fixture
def random(rng):
    """random(shape, dtype): normal random numbers."""
    return lambda shape, dtype: rng.standard_normal(shape).astype(dtype)


def poisoned(shape, dtype):
    """Replaces `empty`: an array full of NaN, or of 77 for integers."""
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 77, dtype)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    for module in (conv2d, conv_block, linear, adam, batch_norm, relu, max_pool2d, upsample):
        monkeypatch.setattr(module, "functional", FailingFunctional())
    for module in (conv_block, winograd, direct, pointwise, linear, batch_norm, relu, max_pool2d, upsample):
        monkeypatch.setattr(module, "empty", poisoned)
    for module in (winograd, direct, pointwise):
        monkeypatch.setattr(module, "GROUPS", 2)
        monkeypatch.setattr(module, "STRIP_BYTES", 1)
    for name, value in {"LEAST": 1, "TILE": 5, "ROWS": 8}.items():
        monkeypatch.setattr(linear, name, value)
    for name, value in {"BLOCK": 7, "TILE": 5, "ROWS": 4}.items():
        monkeypatch.setattr(adam, name, value)
    monkeypatch.setattr(relu, "BLOCK", 7)
    set_threads(2)
    yield
    set_threads(None)


@pytest.fixture(params=["definition", "points of one strip", "points of several strips", "points of several images"])
def way(request, monkeypatch):
    """How a 3 x 3 convolution is computed: two groups of images with a dU of their own, or one dU of all."""
    by_points = request.param != "definition"
    monkeypatch.setattr(convolution, "LEAST_CHANNELS", 1 if by_points else 10**9)
    if request.param == "points of several strips":
        monkeypatch.setattr(winograd, "SMALL", 0)
        monkeypatch.setattr(winograd, "CHUNK_BYTES", 1)
    if request.param == "points of several images":
        monkeypatch.setattr(winograd, "SMALL", 0)
        monkeypatch.setattr(winograd, "STRIP_BYTES", 10**9)
        monkeypatch.setattr(winograd, "LEAST_STRIPS", 2)
