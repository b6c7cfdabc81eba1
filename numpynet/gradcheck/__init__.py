"""Gradients checked against finite differences, with NumPy alone: `python -m numpynet.gradcheck`.

numeric     the derivative by definition: move an input a little in both directions and watch the output
diagnosis   where a gradient is wrong, and which mistake leaves this pattern
cases       what can be checked: every operation, every layer, two whole networks
"""

from numpynet.gradcheck.diagnosis import Finding, examine
from numpynet.gradcheck.numeric import directional_derivative, numerical_gradient

__all__ = ["Finding", "directional_derivative", "examine", "numerical_gradient"]
