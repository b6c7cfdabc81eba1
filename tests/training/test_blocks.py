"""The parts of large arrays: whole rows that cover them, each as small as a block."""

import math

import numpy as np
import pytest

from numpynet import blocks

SHAPES = [(7,), (40,), (9, 4), (9, 5), (3, 11), (2, 2, 3), (5, 0), (0, 4)]
"""With blocks of 10 numbers: rows that fit several times, exactly and not at all, and rows without numbers."""


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_parts_cover_the_arrays_and_are_at_most_a_block_or_one_row(shape, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 10)
    first, second = np.arange(math.prod(shape)).reshape(shape), np.zeros(shape)
    parts = list(blocks.blocks(first, second))
    for a, b in parts:
        assert a.shape == b.shape
        assert a.size <= 10 or len(a) == 1
        b[...] = a
    np.testing.assert_array_equal(second, first)
    width = math.prod(shape[1:])
    assert len(parts) == math.ceil(shape[0] / max(1, 10 // max(1, width)))


def test_an_array_without_axes_is_one_part():
    array = np.array(3.0)
    assert list(blocks.blocks(array)) == [(array,)]


def test_one_array_alone_has_parts_too(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 10)
    assert [len(part) for (part,) in blocks.blocks(np.zeros((5, 4)))] == [2, 2, 1]
