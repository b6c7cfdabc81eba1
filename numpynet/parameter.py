"""Parameter: an array that is learned, and its gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpynet.checks import alike, is_array, same_dtype
from numpynet.typing import Array


class Parameter:
    """An array that is learned, and its gradient.

    `grad` is None until a backward pass adds to it. The gradients of several backward passes add up until `zero_grad`.
    """

    def __init__(self, data: Array) -> None:
        """ValueError if `data` is not an array of floating-point numbers."""
        self._grad: Array | None = None
        self.after_add: Callable[[Parameter], None] | None = None
        """Called with the parameter after each `add_grad`, when the backward pass goes on to the layer before."""
        self.data = np.asanyarray(data, order="C")  # the fast kernels are made for this memory order

    @property
    def data(self) -> Array:
        """The numbers themselves. Another array, in any memory order, may be put in their place.

        ValueError if it does not hold floating-point numbers, or if there is a gradient of another shape or dtype.
        """
        return self._data

    @data.setter
    def data(self, data: Array) -> None:
        data = np.asanyarray(data)
        same_dtype("Parameter", data=data)
        if self._grad is not None and (data.shape, data.dtype) != (self._data.shape, self._data.dtype):
            raise ValueError(
                f"Parameter: data must be {self._data.dtype} {self._data.shape}, as its gradient is, got {data.dtype} "
                f"{data.shape}; call zero_grad() first"
            )
        self._data: Array = data

    @property
    def grad(self) -> Array | None:
        """The gradient, of the parameter's shape and dtype, or None.

        It acts as an array in every operation. The fast kernels may keep it as an array-like of their own, which
        np.asarray turns into an array. ValueError if it is set to what does not fit.
        """
        return self._grad

    @grad.setter
    def grad(self, grad: Array | None) -> None:
        if grad is not None:
            self._check("grad", grad)
        self._grad = grad

    def add_grad(self, grad: Array) -> None:
        """Add `grad`, of the parameter's shape and dtype, to the gradient. ValueError if it does not fit."""
        self._check("add_grad", grad)
        self._grad = grad if self._grad is None else self._grad + grad
        if self.after_add is not None:
            self.after_add(self)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._grad = None

    def _check(self, name: str, grad: Array) -> None:
        """ValueError, beginning with `name`, unless `grad` is an array of the parameter's shape and dtype."""
        if not is_array(grad):
            got = type(grad).__name__
        elif grad.shape != self.data.shape or not alike(grad.dtype, self.data.dtype):
            got = f"{grad.dtype} {grad.shape}"
        else:
            return
        raise ValueError(f"{name}: the gradient must be {self.data.dtype} {self.data.shape}, got {got}")

    def __repr__(self) -> str:
        return f"Parameter({self.data.dtype} {self.data.shape})"
