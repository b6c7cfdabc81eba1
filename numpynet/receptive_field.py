"""Receptive fields: which pixels of the picture one output number can see."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpynet.layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    SoftArgmax2d,
    Upsample,
)
from numpynet.module import Module
from numpynet.typing import Pair


@dataclass(frozen=True)
class Axis:
    """Along one axis, output i sees the pixels first .. last of the picture, which may lie in the padding.

    Upsampling repeats numbers, so neighbours differ in what they see, and the pattern returns after some outputs. With
    P = len(first) and i = q P + r, output i sees the pixels q period + first[r] .. q period + last[r].
    """

    period: int
    first: tuple[int, ...]
    last: tuple[int, ...]

    @property
    def jump(self) -> float:
        """Pixels of the picture from one output to the next; after upsampling their mean."""
        return self.period / len(self.first)

    def window(self, kernel: int, stride: int, padding: int, dilation: int) -> Axis:
        """The axis after a layer with windows: output i sees inputs i stride - padding and on, as far as it reaches."""
        P = len(self.first)
        outputs = range(P // math.gcd(P, stride))
        begin = [i * stride - padding for i in outputs]
        return Axis(
            self.period * len(outputs) * stride // P,
            tuple(i // P * self.period + self.first[i % P] for i in begin),
            tuple(i // P * self.period + self.last[i % P] for i in (one + dilation * (kernel - 1) for one in begin)),
        )

    def upsampled(self, factor: int) -> Axis:
        """The axis after each number is repeated `factor` times."""
        outputs = range(len(self.first) * factor)
        return Axis(
            self.period, tuple(self.first[i // factor] for i in outputs), tuple(self.last[i // factor] for i in outputs)
        )

    def joined(self, other: Axis) -> Axis | None:
        """The axis of the sum of two branches: from the first pixel that either sees to the last.

        None if the branches have different jumps.
        """
        P = math.lcm(len(self.first), len(other.first))
        one, two = self._over(P), other._over(P)
        if one.period != two.period:
            return None
        return Axis(one.period, tuple(map(min, one.first, two.first)), tuple(map(max, one.last, two.last)))

    def _over(self, outputs: int) -> Axis:
        """The same axis, with the pattern written out for this many outputs, a multiple of its length."""
        P = len(self.first)
        return Axis(
            self.period * outputs // P,
            tuple(i // P * self.period + self.first[i % P] for i in range(outputs)),
            tuple(i // P * self.period + self.last[i % P] for i in range(outputs)),
        )

    def size(self, outputs: int) -> int:
        """The largest number of pixels that one of the outputs 0 .. `outputs` - 1 sees."""
        return max(last - first for first, last in zip(self.first[:outputs], self.last[:outputs], strict=True)) + 1


Field = tuple[Axis, Axis] | str
"""The vertical and the horizontal axis, or ALL or UNKNOWN."""

ALL, UNKNOWN = "all", "?"
"""Every output sees the whole picture; the layer is of a class that this module does not know."""

_PIXEL = Axis(1, (0,), (0,))
_PIXEL_BY_PIXEL = (ReLU, BatchNorm1d, BatchNorm2d, Dropout, Flatten)


def of_picture(shape: tuple[int, ...]) -> Field:
    """The field of an input of this shape: each pixel sees itself. Rows of numbers (N, F) are no picture."""
    return (_PIXEL, _PIXEL) if len(shape) == 4 else UNKNOWN


def through(field: Field, layer: Module) -> Field:
    """The field behind a layer.

    Batch norm counts as working pixel by pixel: in training, its mean and variance see the whole batch as well.
    """
    if isinstance(layer, Linear | SoftArgmax2d) and field != UNKNOWN:
        return ALL
    if isinstance(field, str) or isinstance(layer, _PIXEL_BY_PIXEL):
        return field
    if isinstance(layer, Conv2d | MaxPool2d | AvgPool2d):
        dilation = (1, 1) if isinstance(layer, AvgPool2d) else layer.dilation
        sides = zip(field, layer.kernel_size, layer.stride, layer.padding, dilation, strict=True)
        vertical, horizontal = (axis.window(*geometry) for axis, *geometry in sides)
        return vertical, horizontal
    if isinstance(layer, Upsample):
        return field[0].upsampled(layer.scale_factor), field[1].upsampled(layer.scale_factor)
    return UNKNOWN


def joined(one: Field, other: Field) -> Field:
    """The field of the sum of two branches: the larger of the two."""
    if isinstance(one, str) or isinstance(other, str):
        return UNKNOWN if UNKNOWN in (one, other) else ALL
    vertical, horizontal = one[0].joined(other[0]), one[1].joined(other[1])
    return UNKNOWN if vertical is None or horizontal is None else (vertical, horizontal)


def size(field: Field, shape: tuple[int, ...]) -> Pair | str:
    """Height and width of the receptive field, in pixels, of an output of this shape; or ALL or UNKNOWN.

    It may exceed the picture, as it includes the padding. Araujo, Norris and Sim, Computing Receptive Fields of
    Convolutional Neural Networks, Distill 2019.
    """
    if isinstance(field, str):
        return field
    height, width = shape[2:] if len(shape) == 4 else (1, 1)
    return field[0].size(height), field[1].size(width)


def jump(field: Field) -> tuple[float, float]:
    """Pixels of the picture between neighbouring outputs, down and across; NaN if the field is ALL or UNKNOWN."""
    return (math.nan, math.nan) if isinstance(field, str) else (field[0].jump, field[1].jump)
