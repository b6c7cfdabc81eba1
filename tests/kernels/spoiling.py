"""Spoils arrays, in shape, memory order or dtype, and compares the results of two functions."""

import numpy as np
import pytest

from numpynet import functional, kernels

modules = pytest.mark.parametrize("module", [kernels, functional], ids=["fast", "readable"])


def numbers(*shape, seed=0):
    """Positive random numbers, so that they can also be variances."""
    return np.random.default_rng([seed, *shape]).uniform(0.5, 2, shape).astype(np.float32)


SHAPES = {
    "one more in front": lambda a: np.concatenate([a, a[:1]]),
    "one fewer in front": lambda a: a[1:],
    "none in front": lambda a: a[:0],
    "one more behind": lambda a: np.concatenate([a, a[..., :1]], axis=-1),
    "one fewer behind": lambda a: a[..., 1:],
    "none behind": lambda a: a[..., :0],
    "one number": lambda a: a.reshape(-1)[:1],
    "of no dimension": lambda a: np.asarray(a.reshape(-1)[0]),
    "a dimension more": lambda a: a[None],
    "a dimension more behind": lambda a: a[..., None],
    "flat": lambda a: a.reshape(1, -1) if a.ndim == 1 else a.reshape(-1),
    "axes turned round": lambda a: np.moveaxis(a, 0, -1).copy() if a.ndim > 1 else a[:, None],
    "twice as wide, broadcast": lambda a: np.concatenate([a, a], axis=-1),
}


def strided(array):
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def unaligned(array):
    data = np.frombuffer(bytearray(b"\0" + array.tobytes()), np.uint8)[1:]
    return data.view(array.dtype).reshape(array.shape)


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


ORDERS = {
    "another order": lambda a: np.asfortranarray(a.copy()),
    "backwards": lambda a: np.flip(np.flip(a).copy()),
    "every second": strided,
    "unaligned": unaligned,
    "read-only": read_only,
    "an axis in front of others": lambda a: np.moveaxis(np.moveaxis(a, 0, -1).copy(), -1, 0),
}
DTYPES = (">f4", ">f8", "f2", "f8", "g", "i4", "u1", "?", "c8")


def plain(result):
    """The arrays of a result as a flat list."""
    if isinstance(result, tuple):
        return [array for part in result for array in plain(part)]
    return [] if result is None else [np.asarray(result)]


def outcome(call):
    """The arrays that `call` returns, or its error message."""
    try:
        with np.errstate(all="ignore"):
            return plain(call())
    except (ValueError, TypeError) as error:
        return str(error)


def agree(got, expected, dtype=np.float32):
    """Both are the same error, or the same numbers up to the rounding of `dtype`."""
    assert isinstance(got, str) == isinstance(expected, str), (got, expected)
    if isinstance(got, str):
        assert got == expected
        return
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape
        a, b = np.real(a).astype(np.float64), np.real(b).astype(np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=200 * np.finfo(dtype).eps * max(1, np.abs(b).max(initial=0)))
