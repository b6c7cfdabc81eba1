"""Derivatives by definition."""

from collections.abc import Callable

import numpy as np

from numpynet.typing import Array

STEP = 1e-6
"""How far an input is moved. For numbers of about 1 in float64, curvature makes an error of about STEP^2, and rounding
an error of about 1e-16 / STEP: both stay below 1e-9."""


def numerical_gradient(function: Callable[[], Array], x: Array, dout: Array, step: float = STEP) -> Array:
    """dL/dx for L = sum(dout * function()). `function` computes its output from the array x, which is moved in place.

    x: float64, any shape; dout: of the output's shape. The result has x's shape. One element after the other:

        dL/dx[i] = (L(x[i] + step) - L(x[i] - step)) / (2 step)

    ValueError if x is not float64: in float32 the differences drown in rounding.
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

    It takes two evaluations, for an x of any size. It equals sum(g * direction) if g is the gradient of L.
    """
    before = x.copy()
    x += step * direction
    above = np.vdot(dout, function())
    x[...] = before - step * direction
    below = np.vdot(dout, function())
    x[...] = before
    return float((above - below) / (2 * step))
