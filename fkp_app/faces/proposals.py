"""Candidates for faces, proposed by a FinderNet (`numpynet.models`) in a pyramid of smaller and smaller pictures.

The network knows faces of one octave of sizes, at every roll. Each picture of the pyramid is half as large as the one
before, so together they show faces of every size. `search.find_faces` decides later which candidates are faces.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fkp_app.backends.channels_last import in_turn, of_one_image
from fkp_app.faces.detector import SIDE as BOX_SIDE
from fkp_app.faces.detector import box_from_square
from fkp_app.geometry.boxes import Box, box_of, covered, keep_heaviest, turn_image
from fkp_app.geometry.face_grid import CELL, SIDE, Spot, decode
from fkp_app.geometry.finder_card import FinderCard
from fkp_app.geometry.framing import Square, apply, invert, to_gray
from numpynet.checkpoint import load_net
from numpynet.typing import AnyArray, Array
from numpynet.workers import run

SHIPPED_FINDER = Path(__file__).parents[1] / "weights" / "finder.safetensors"

LEAST = SIDE / 2**0.5
"""Side of the smallest face square in the first picture of the pyramid, in pixels: half an octave below SIDE."""
MOST_PIXELS = 900_000
"""Pixels of the first picture at most; larger images are shrunk to it. It bounds the time of a search."""
MOST_CHANGED = 400_000
"""The same for images that are turned or extended: most faces there were found in the image as it is."""
LEAST_LOGIT = -0.5
"""Places with a smaller logit are no candidates."""
LEARNED_ROLL = 75.0
"""Most faces that the network learned from are rolled by less, in degrees."""
SAME_SQUARE = 0.4
"""If two face squares share more than this part of the smaller one, the less likely one is dropped."""
MOST = 200
"""The most candidates of an image: the likeliest."""


@dataclass(frozen=True)
class Proposal:
    """A place where the network sees a face. logit: how likely it is one; the rest is as in `detector.Candidate`."""

    box: Box
    square: Square
    angle: float
    logit: float


class NetDetector:
    """A FinderNet ready to use.

    weights: the shipped file if None. own_process: whether the process belongs to the caller, as that of a command
    does, and BLAS uses one thread in it; then several threads share a picture. CheckpointError if the file cannot be
    used.
    """

    def __init__(self, weights: Path | None = None, own_process: bool = False) -> None:
        path = SHIPPED_FINDER if weights is None else weights
        net, card = load_net(path)
        FinderCard.of(card, path)
        forward = of_one_image(net, run if own_process else in_turn)
        assert forward is not None
        self._forward = forward

    def candidates(self, image: AnyArray, angle: float = 0.0, margin: float = 0.0) -> list[Proposal]:
        """Every candidate in an RGB image (H, W, 3), the likeliest first, in coordinates of the image.

        angle: turn the image by this many degrees, clockwise as seen, before the search. As the network finds rolled
        faces by itself, a turn of less than LEARNED_ROLL shows it nothing new, and there are no candidates. margin: as
        in `FaceDetector.candidates`.
        """
        if 0 < abs(angle) < LEARNED_ROLL:
            return []
        height, width = image.shape[:2]
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        gray, turn = turn_image(gray, angle, round(margin * min(height, width)))
        back = invert(turn)
        spots = self._spots(gray, MOST_CHANGED if angle or margin else MOST_PIXELS)
        order = sorted(range(len(spots)), key=lambda i: -spots[i].logit)[:MOST]
        boxes = [box_of(one.square) for one in spots]
        found: list[Proposal] = []
        for i in keep_heaviest(order, lambda i, kept: covered(boxes[i], boxes[kept]) > SAME_SQUARE):
            (x, y, side), roll, logit = spots[i]
            x, y = (float(number) for number in apply(back, np.array([x, y])))
            box = box_from_square((x, y, side), angle + roll, width, height)
            found.append(Proposal(box, (x, y, side), angle + roll, logit))
        return found

    def least(self, height: int, width: int) -> float:
        """Side of the smallest box, in pixels of an image of this size, that is found in it."""
        return _first_shrink(height, width, MOST_PIXELS) * LEAST / BOX_SIDE

    def _spots(self, gray: AnyArray, most: int) -> list[Spot]:
        """The peaks of the network's answers in the pictures of the pyramid, in pixels of `gray`.

        most: pixels of the first picture, at most.
        """
        height, width = gray.shape
        shrink = _first_shrink(height, width, most)
        spots: list[Spot] = []
        while True:
            # Whole cells: the network halves the picture three times.
            size = [CELL * max(1, round(extent / shrink / CELL)) for extent in (width, height)]
            ratio = width / size[0], height / size[1]
            if gray.shape != (size[1], size[0]):
                # Halving, both give the mean of four pixels. INTER_LINEAR serves until then, in a sixth of the time.
                mean = cv2.INTER_AREA if gray.shape[0] > 2.1 * size[1] else cv2.INTER_LINEAR
                gray = cv2.resize(gray, size, interpolation=mean)
            answer = self._forward(to_gray(gray)[:, :, None]).transpose(2, 0, 1)  # (6, h, w)
            for (x, y, side), angle, logit in decode(peaks(answer), LEAST_LOGIT):
                place = (x + 0.5) * ratio[0] - 0.5, (y + 0.5) * ratio[1] - 0.5
                spots.append(Spot((*place, side * math.sqrt(ratio[0] * ratio[1])), angle, logit))
            shrink *= 2
            if min(height, width) / shrink < LEAST:
                return spots


def _first_shrink(height: int, width: int, most: int) -> float:
    """Pixels of an image of this size per pixel of the first picture of its pyramid, which has `most` at most."""
    return max(1.0, math.sqrt(height * width / most))


def peaks(answer: Array) -> Array:
    """The answer (6, h, w) with the logit of each cell that has a likelier one beside it set to minus infinity."""
    logits = np.pad(answer[0], 1, constant_values=-np.inf)
    height, width = answer.shape[1:]
    around = [logits[1 + i : 1 + i + height, 1 + j : 1 + j + width] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    answer = answer.copy()
    answer[0][answer[0] < np.max(around, axis=0)] = -np.inf
    return answer
