"""The grid in which a FinderNet answers: what its cells and numbers mean. Training and detection share it.

A cell is CELL pixels wide; its middle lies at CELL (i + 1/2) - 1/2, as pixel centres lie at whole coordinates. Of each
cell the network says whether the middle of a face is near (a logit), and of that face: where its middle is, the side
of its face square, and how far it is rolled.
"""

from typing import NamedTuple

import numpy as np

from fkp_app.geometry.framing import Square
from numpynet.typing import Array

CELL = 8
"""Width of a cell, in pixels."""
SIDE = 34.0
"""Side of a face square, in pixels, at which the network's answer is 0. It learns sides of one octave about it."""
OUTPUTS = ("logit", "x", "y", "log_side", "cos", "sin")
"""The maps of the network's answer. x, y: the face's middle beside the cell's, in cells. log_side: log2(side / SIDE).
cos, sin: of the angle by which the picture must be turned, clockwise as seen, to make the face upright."""


class Spot(NamedTuple):
    """A face: its square when upright, and the angle, in degrees, by which the picture must be turned clockwise for it.

    The logit is that of the network; NaN for a label.
    """

    square: Square
    angle: float
    logit: float = float("nan")


def middles(height: int, width: int) -> tuple[Array, Array]:
    """The x (width) and the y (height) of the middles of the cells of a grid, in pixels."""
    x, y = (CELL * (np.arange(cells) + 0.5) - 0.5 for cells in (width, height))
    return x, y


def encode(spot: Spot, height: int, width: int) -> Array:
    """What the cells of a grid should answer about this face, but for the logit: (5, height, width) float32."""
    (cx, cy, side), turn = spot.square, np.deg2rad(spot.angle)
    x, y = middles(height, width)
    answer: Array = np.empty((5, height, width), np.float32)
    answer[0], answer[1] = (cx - x) / CELL, ((cy - y) / CELL)[:, None]
    answer[2], answer[3], answer[4] = np.log2(side / SIDE), np.cos(turn), np.sin(turn)
    return answer


def decode(answer: Array, least_logit: float) -> list[Spot]:
    """The faces in an answer (6, height, width): the cells with a logit of at least `least_logit`, the surest first."""
    logits = answer[0]
    rows, columns = np.nonzero(logits >= least_logit)
    order = np.argsort(-logits[rows, columns], kind="stable")
    x, y = middles(*logits.shape)
    spots = []
    for row, column in zip(rows[order], columns[order], strict=True):
        logit, right, down, log_side, cos, sin = (float(number) for number in answer[:, row, column])
        square = (float(x[column]) + CELL * right, float(y[row]) + CELL * down, SIDE * 2**log_side)
        spots.append(Spot(square, float(np.rad2deg(np.arctan2(sin, cos))), logit))
    return spots
