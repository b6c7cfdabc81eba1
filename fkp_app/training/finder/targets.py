"""What the finder should answer about a composed picture, and the loss of what it answers."""

from collections.abc import Sequence

import numpy as np

from fkp_app.geometry.face_grid import CELL, OUTPUTS, SIDE, Spot, encode, middles
from numpynet.losses import FocalLoss, SmoothL1Loss
from numpynet.typing import Array

NEAR, AROUND = 0.16, 0.45
"""A cell whose middle is nearer to a face's than this share of its side must see the face; within the second share, it
may."""
LEARNED, TOLERATED = 0.6, 0.95
"""In octaves: faces whose side differs from SIDE by no more must be found. Up to the second figure, they may be."""


def targets(faces: Sequence[Spot], unclear: Sequence[Spot], size: int) -> Array:
    """The target (7, size / 8, size / 8) float32: the weight of each cell's logit, then OUTPUTS, the logit as 1 or 0.

    unclear: places that may show a face or not, where the network is not corrected.
    """
    cells = size // CELL
    target: Array = np.zeros((1 + len(OUTPUTS), cells, cells), np.float32)
    target[0] = 1
    x, y = middles(cells, cells)
    for spot in unclear:
        if abs(np.log2(spot.square[2] / SIDE)) <= TOLERATED:
            target[0][_apart(spot, x, y) < 0.6 * spot.square[2]] = 0
    for spot in faces:
        octaves = abs(np.log2(spot.square[2] / SIDE))
        if octaves > TOLERATED:
            continue
        apart = _apart(spot, x, y)
        target[0][apart < AROUND * spot.square[2]] = 0
        if octaves <= LEARNED:
            inside = (apart <= NEAR * spot.square[2]) | (apart == apart.min())
            target[0, inside] = target[1, inside] = 1
            target[2:, inside] = encode(spot, cells, cells)[:, inside]
    return target


def _apart(spot: Spot, x: Array, y: Array) -> Array:
    """The distances (height, width) of the cells' middles from the face's, in pixels."""
    return np.hypot(x - spot.square[0], (y - spot.square[1])[:, None])


class FinderLoss:
    """The focal loss of the logits, and the smooth L1 loss of the other outputs at the cells that must see a face.

    Both are sums over the batch, divided by the number of such cells. place: the weight of the second.
    """

    def __init__(self, gamma: float = 2.0, beta: float = 0.1, place: float = 1.0) -> None:
        self.sure = FocalLoss("sum", gamma)
        self.where = SmoothL1Loss("sum", beta)
        self.place = place

    def __call__(self, out: Array, target: Array) -> tuple[float, Array]:
        """The loss and dL/dout. out: (N, 6, h, w); target: (N, 7, h, w), as `targets` makes them."""
        weight, face, answers = target[:, 0], target[:, 1], target[:, 2:]
        share = 1 / max(1.0, float(face.sum()))
        dout = np.empty_like(out)
        sure, dout[:, 0] = self.sure(out[:, 0], face, weight)
        # Where there is no face, any answer is right: the target is what the network says.
        where, dout[:, 1:] = self.where(out[:, 1:], np.where(face[:, None] == 1, answers, out[:, 1:]))
        dout[:, 0] *= share
        dout[:, 1:] *= share * self.place
        return share * (sure + self.place * where), dout
