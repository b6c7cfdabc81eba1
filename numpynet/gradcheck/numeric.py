"""Derivatives by definition."""

from collections.abc import Callable

import numpy as np

from numpynet.typing import Array

STEP = 1e-6
"""How far an input is moved. The error of central differences is about STEP^2 by curvature and 1e-16 / STEP by
rounding: both stay below 1e-9 for numbers of about 1 in float64."""


def numerical_gradient(function: Callable[[], Array], x: Array, dout: Array, step: float = STEP) -> Array:
    """dL/dx for L = sum(dout * function()), where `function` computes from the array x, which is moved in place.

    x float64 of any shape; dout of the output's shape; the result has x's shape. One element after the other:

        dL/dx[i] = (L(x[i] + step) - L(x[i] - step)) / (2 step)

    ValueError where x is not float64: in float32 the differences drown in rounding.
    """
    if x.dtype != np.float64:
        raise ValueError(f"numerical_gradient: x must be float64, got {x.dtype}")
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        before = x[index]
        x[index] = before + step
        above = np.vdot(dout, function())
        x[index] = before - step
        below = np.vdot(dout, function())
        x[index] = before
        gradient[index] = (above - below) / (2 * step)
    return gradient


def directional_derivative(
    function: Callable[[], Array], x: Array, direction: Array, dout: Array, step: float = STEP
) -> float:
    """The derivative of L = sum(dout * function()) along `direction`, of x's shape.

    It takes two evaluations, however large x is. Where the gradient g of L is right, this is sum(g * direction).
    """
    before = x.copy()
    x += step * direction
    above = np.vdot(dout, function())
    x[...] = before - step * direction
    below = np.vdot(dout, function())
    x[...] = before
    return float((above - below) / (2 * step))
