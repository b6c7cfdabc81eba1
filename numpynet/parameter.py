"""Parameter: an array that is learned, and its gradient, which may be kept as the factors of a product."""

from __future__ import annotations

import numpy as np

from numpynet.checks import alike, is_array, same_dtype
from numpynet.factors import Factors
from numpynet.typing import Array


class Parameter:
    """An array that is learned, and its gradient.

    `grad` is None until a backward pass adds to it; several backward passes add up until `zero_grad`.
    """

    _data: Array

    def __init__(self, data: Array) -> None:
        self._sum: Array | None = None
        self._factors: Factors | None = None
        self.data = np.asanyarray(data, order="C")  # kernels are made for this order

    @property
    def data(self) -> Array:
        """The numbers themselves. Another array may be put in their place, in any memory order."""
        return self._data

    @data.setter
    def data(self, data: Array) -> None:
        data = np.asanyarray(data)
        same_dtype("Parameter", data=data)
        if self.has_grad and (data.shape, data.dtype) != (self._data.shape, self._data.dtype):
            raise ValueError(
                f"Parameter: data must be {self._data.dtype} {self._data.shape}, as its gradient is, got {data.dtype} "
                f"{data.shape}; call zero_grad() first"
            )
        self._data = data

    @property
    def grad(self) -> Array | None:
        """The gradient, of the parameter's shape and dtype; reading it multiplies out what is kept as factors."""
        if self._factors is not None:
            product = self._factors.product()
            self._sum = product if self._sum is None else self._sum + product
            self._factors = None
        return self._sum

    @grad.setter
    def grad(self, grad: Array | None) -> None:
        if grad is not None:
            self._check("grad", grad)
        self._sum, self._factors = grad, None

    @property
    def has_grad(self) -> bool:
        """Whether there is a gradient, in either form."""
        return self._sum is not None or self._factors is not None

    @property
    def factors(self) -> Factors | None:
        """The factors of the whole gradient, for an optimizer that can use them; None where it is not kept so."""
        return self._factors if self._sum is None else None

    def add_grad(self, grad: Array | Factors) -> None:
        """Add `grad`, of the parameter's shape and dtype, or its factors; ValueError where they do not fit."""
        self._check("add_grad", grad)
        if not isinstance(grad, Factors):
            self._sum = grad if self._sum is None else self._sum + grad
        elif self._factors is None:
            self._factors = grad
        else:  # a sum of products is the product of longer factors
            self._factors = Factors(*(np.concatenate(pair) for pair in zip(self._factors, grad, strict=True)))

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def _check(self, name: str, grad: Array | Factors) -> None:
        """ValueError where `grad` is not of the parameter's shape and dtype."""
        if isinstance(grad, Factors):
            if len(grad.left) != len(grad.right):
                raise self._unfit(name, f"factors of {len(grad.left)} and {len(grad.right)} images")
            shape, dtype = (grad.left.shape[1], grad.right.shape[1]), np.result_type(grad.left, grad.right)
        elif is_array(grad):
            shape, dtype = grad.shape, grad.dtype
        else:
            raise self._unfit(name, type(grad).__name__)
        if shape != self.data.shape or not alike(dtype, self.data.dtype):
            raise self._unfit(name, f"{dtype} {shape}")

    def _unfit(self, name: str, got: str) -> ValueError:
        return ValueError(f"{name}: the gradient must be {self.data.dtype} {self.data.shape}, got {got}")

    def __repr__(self) -> str:
        return f"Parameter({self.data.dtype} {self.data.shape})"
