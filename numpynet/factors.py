"""A gradient that is a product of two thin matrices, kept as these."""

from typing import NamedTuple

from numpynet.typing import Array


class Factors(NamedTuple):
    """The gradient left^T right of a Linear's weight, not multiplied out.

    It is a sum of N outer products, one an image: for the network's fc1 and 10 images, 0.4 million numbers instead of
    the product's 147 million. An optimizer that goes through the weight in blocks can make each block's gradient when
    its turn comes, and never store the whole.
    """

    left: Array  # (N, O): dout
    right: Array  # (N, I): x

    def product(self) -> Array:
        """The gradient itself, (O, I)."""
        return self.left.T @ self.right  # (O, N) @ (N, I) -> (O, I)
