"""Gradients checked against finite differences, with nothing but NumPy: `python -m numpynet.gradcheck`.

numeric     the derivative by definition: move an input a little both ways and see what the output does
diagnosis   where a gradient is wrong, and what mistake leaves such a trace
cases       what there is to check: every operation, every layer, a whole network
"""

from numpynet.gradcheck.diagnosis import Finding, examine
from numpynet.gradcheck.numeric import directional_derivative, numerical_gradient

__all__ = ["Finding", "directional_derivative", "examine", "numerical_gradient"]
