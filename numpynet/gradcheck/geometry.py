"""How the windows of a convolution or a pooling lie on an image."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from numpynet.functional.windows import output_sizes, pair, window_slices
from numpynet.typing import AnyArray, IntOrPair, Pair


class Geometry(NamedTuple):
    """The five sizes, each as (vertical, horizontal)."""

    size: Pair  # of the image
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    @property
    def out(self) -> Pair:
        """How many windows there are, (OH, OW)."""
        return output_sizes(self.size, self.kernel, self.stride, self.padding, self.dilation)

    def given(self) -> dict[str, Pair]:
        """Which of stride, dilation and padding can be forgotten, and what they are then."""
        without = {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0)}
        return {name: forgotten for name, forgotten in without.items() if getattr(self, name) != forgotten}

    def mistaken(self) -> Iterator[tuple[str, "Geometry"]]:
        """This geometry with one of its three numbers forgotten."""
        for name, forgotten in self.given().items():
            yield f"the {name} is missing", self._replace(**{name: forgotten})


def geometry_of(
    size: IntOrPair, kernel: IntOrPair, stride: IntOrPair, padding: IntOrPair, dilation: IntOrPair = 1
) -> Geometry:
    """The geometry, each size as one number or a pair. ValueError names a size that is out of range."""
    return Geometry(
        pair(size, "size"),
        pair(kernel, "kernel"),
        pair(stride, "stride"),
        pair(padding, "padding", 0),
        pair(dilation, "dilation"),
    )


def coverage_of(geometry: Geometry) -> AnyArray:
    """How many windows see each pixel of an image, (H, W)."""
    (H, W), kernel, stride, (PH, PW), dilation = geometry
    seen = np.zeros((H + 2 * PH, W + 2 * PW), np.int64)
    if min(geometry.out) < 1:  # the function refuses this geometry, and says why
        return seen[:H, :W]
    for _, _, rows, columns in window_slices(kernel, stride, dilation, geometry.out):
        seen[rows, columns] += 1
    return seen[PH : PH + H, PW : PW + W]
