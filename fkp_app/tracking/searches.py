"""When a video's frame is searched for new faces, and how thoroughly: the cascades cost several times the network.

A search of the whole frame takes about as long as two frames last. While faces are followed it is enough to look now
and then, mostly in a small picture, in which faces of an eighth of its height are found, and rarely in the whole one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fkp_app.faces.detector import Candidate
from fkp_app.faces.keypoints import SAME_FACE, Detector
from fkp_app.geometry.framing import Square
from fkp_app.tracking.tracks import overlap
from numpynet.typing import AnyArray, Array

SMALL = 320
"""The longest side of the small picture."""
WHOLE_EVERY = 4
"""Every so manieth search is of the whole frame."""
TURNED_EVERY = 6
"""Where no face is, every so manieth search also turns the picture."""
SOONER = 3
"""Where no face is, searches are so many times as frequent."""
CUT = 0.6
"""Two frames whose small pictures correlate less are of different scenes."""
FLAT = 2.0
"""Pictures with a standard deviation of fewer grey levels show nothing."""


@dataclass(frozen=True)
class Search:
    """A detector of faces that are not yet known.

    small: in the small picture; turned: whether the picture may be turned and its edges continued; turned_small: and if
    so, only the small one's.
    """

    detector: Detector
    known: Sequence[Square]
    small: bool
    turned: bool
    turned_small: bool = True

    def candidates(self, image: AnyArray, angle: float = 0.0, margin: float = 0.0) -> list[Candidate]:
        """What may be a face in an RGB image, turned and continued as asked, and is none of the known ones."""
        changed = bool(angle or margin)
        if changed and not self.turned:
            return []
        if self.turned_small if changed else self.small:
            found = small_candidates(self.detector, image, angle, margin)
        else:
            found = self.detector.candidates(image, angle, margin)
        return [one for one in found if all(overlap(one.square, square) <= SAME_FACE for square in self.known)]


def small_candidates(detector: Detector, image: AnyArray, angle: float, margin: float) -> list[Candidate]:
    """What the detector finds in the small picture of an image, in coordinates of the image."""
    height, width = image.shape[:2]
    shrink = max(height, width) / SMALL
    if shrink <= 1:
        return detector.candidates(image, angle, margin)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return [_enlarged(one, shrink) for one in detector.candidates(small, angle, margin)]


def _enlarged(one: Candidate, by: float) -> Candidate:
    x, y, side = one.square
    left, top, width, height = (round(by * number) for number in one.box)
    square = ((x + 0.5) * by - 0.5, (y + 0.5) * by - 0.5, side * by)
    return replace(one, box=(left, top, max(1, width), max(1, height)), square=square)


class Schedule:
    """Decides for every frame whether it is searched. every: frames from one search to the next, where faces are."""

    def __init__(self, every: int) -> None:
        self._every = every
        self.restart()

    def restart(self) -> None:
        """As before the first frame."""
        self._waited, self._searches, self._unturned = 0, 0, TURNED_EVERY

    def next(self, detector: Detector, known: Sequence[Square], cut: bool, lost: bool) -> Search | None:
        """The search that this frame needs, if any. cut: of a new scene, the first frame's included; lost: a face."""
        self._waited += 1
        every = self._every if known else max(1, self._every // SOONER)
        if not (cut or lost or self._waited >= every):
            return None
        self._waited = 0
        self._searches += 1
        turned = not known and (cut or self._unturned + 1 >= TURNED_EVERY)
        self._unturned = 0 if turned else self._unturned + 1
        small = not (cut or lost or self._searches % WHOLE_EVERY == 0)
        return Search(detector, known, small, turned, turned_small=not cut)


class Scene:
    """Tells when the picture is no longer that of the last frame."""

    def __init__(self) -> None:
        self._last: Array | None = None

    def changed(self, image: AnyArray) -> bool:
        """Whether an RGB image shows another scene than the one before; the first does. Light alone changes nothing."""
        tiny = cv2.cvtColor(cv2.resize(image, (32, 24), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        last, self._last = self._last, tiny.astype(np.float64) - tiny.mean()
        if last is None:
            return True
        spreads = last.std(), self._last.std()
        if min(spreads) < FLAT:
            return bool(max(spreads) >= FLAT)
        return bool((last * self._last).mean() / (spreads[0] * spreads[1]) < CUT)
