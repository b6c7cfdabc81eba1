"""Factors: the gradient of a large Linear's weight, kept as two thin matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike

from numpynet.checks import same_dtype
from numpynet.typing import AnyArray, Array


class Factors(NDArrayOperatorsMixin):
    """The array left^T right, (O, I), which is not multiplied out until somebody needs it.

    A weight's gradient dout^T x is a sum of N outer products, one per image. For the network's fc1 and 10 images the
    factors hold 0.4 million numbers, the product 147 million. The fast Adam multiplies out a few rows at a time.

    It acts as the array. Reading it (an operator, a NumPy function, a method, an index) makes the product, uses it and
    keeps nothing, so reading changes nothing. The sum of two Factors is one with more rows. Writing into it
    (`grad *= 0.5`, `grad[0] = 0`, `out=grad`) stores the product in `array`, which stands for the factors from then on.
    np.asarray returns a read-only array, since what is written into that one would be lost.

    left: (N, O), dout. right: (N, I), x. ValueError if their shapes or dtypes do not fit each other.
    """

    ndim = 2

    def __init__(self, left: Array, right: Array) -> None:
        same_dtype("Factors", left=left, right=right)
        if left.ndim != 2 or right.ndim != 2 or len(left) != len(right):
            raise ValueError(
                f"Factors: left and right must have shapes (N, O) and (N, I), got {left.shape} and {right.shape}"
            )
        self.left = left
        self.right = right
        self.array: Array | None = None
        """The numbers themselves, once something was written into them."""

    @property
    def shape(self) -> tuple[int, int]:
        """(O, I)."""
        return self.left.shape[1], self.right.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the product."""
        return np.result_type(self.left, self.right)

    @property
    def size(self) -> int:
        """O times I."""
        return self.shape[0] * self.shape[1]

    def product(self) -> Array:
        """The array: a fresh one, unless something was written into this one."""
        return self.left.T @ self.right if self.array is None else self.array  # (O, N) @ (N, I) -> (O, I)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        if self.array is not None:
            return np.array(self.array, dtype, copy=copy)
        if copy is False:
            raise ValueError("Factors: the product is a new array; it cannot be had without a copy")
        product = np.asarray(self.product(), dtype)
        product.flags.writeable = bool(copy)
        return product

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        outs = kwargs.get("out", ())
        if outs:
            kwargs["out"] = tuple(out._written() if isinstance(out, Factors) else out for out in outs)
        arrays = (np.asarray(array) if isinstance(array, Factors) else array for array in inputs)
        result = getattr(ufunc, method)(*arrays, **kwargs)
        if not outs:
            return result
        results = result if isinstance(result, tuple) else (result,)
        given = tuple(new if out is None else out for out, new in zip(outs, results, strict=True))
        return given if isinstance(result, tuple) else given[0]

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, Factors) or self.array is not None or other.array is not None:
            return super().__add__(other)
        return Factors(np.concatenate([self.left, other.left]), np.concatenate([self.right, other.right]))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice) and self.array is None:  # some rows: no need for the others
            return self.left[:, index].T @ self.right
        return np.asarray(self)[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._written()[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(np.asarray(self))

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        return bool(np.asarray(self))

    def __getattr__(self, name: str) -> Any:
        """The array's other attributes and methods: T, sum, copy, astype, ..."""
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def __repr__(self) -> str:
        return f"Factors({self.product()!r})"

    def _written(self) -> Array:
        """The array to be written into; from now on the factors no longer count."""
        if self.array is None:
            self.array = self.product()
        return self.array
