"""The update of an exponential moving average of weights."""

from numpynet.blocks import blocks
from numpynet.typing import Array


def average_update(average: Array, weight: Array, share: float) -> None:
    """Move the average by this share of its way to the weight, element by element::

        average = average + share (weight - average) = (1 - share) average + share weight

    Shapes: both arrays alike. `average` is changed in place; `weight` is not.

    As torch.Tensor.lerp_, which PyTorch's AveragedModel calls.
    """
    for a, w in blocks(average, weight):
        way = w - a
        way *= share
        a += way
