"""Parameter: an array that is learned, and its gradient, which may be kept as the factors of a product."""

from __future__ import annotations

import numpy as np

from numpynet.factors import Factors
from numpynet.typing import Array


class Parameter:
    """An array that is learned, and its gradient.

    `grad` is None until a backward pass adds to it; several backward passes add up until `zero_grad`.
    """

    def __init__(self, data: Array) -> None:
        self.data = np.asarray(data, order="C")  # optimizers go through it in one line
        self._sum: Array | None = None
        self._factors: Factors | None = None

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
        self._sum, self._factors = grad, None

    @property
    def factors(self) -> Factors | None:
        """The factors of the whole gradient, for an optimizer that can use them; None where it is not kept so."""
        return self._factors if self._sum is None else None

    def add_grad(self, grad: Array | Factors) -> None:
        """Add `grad`, of the parameter's shape and dtype, or its factors; ValueError where they do not fit."""
        if isinstance(grad, Factors):
            shape, dtype = (grad.left.shape[1], grad.right.shape[1]), np.result_type(grad.left, grad.right)
        else:
            shape, dtype = grad.shape, grad.dtype
        if shape != self.data.shape or dtype != self.data.dtype:
            raise ValueError(f"add_grad: the gradient must be {self.data.dtype} {self.data.shape}, got {dtype} {shape}")
        if not isinstance(grad, Factors):
            self._sum = grad if self._sum is None else self._sum + grad
        elif self._factors is None:
            self._factors = grad
        else:  # a sum of products is the product of longer factors
            self._factors = Factors(*(np.concatenate(pair) for pair in zip(self._factors, grad, strict=True)))

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def __repr__(self) -> str:
        return f"Parameter({self.data.dtype} {self.data.shape})"
