"""What a derivation returns."""

from numpynet.typing import AnyArray, Array

Staged = dict[str, tuple[AnyArray, Array | None]]
"""Name of each intermediate: its value and dL/d(value), both of one shape. The gradient is None for what has none: a
mask, an index, or a helper of the backward pass."""
