"""Which frames of a video are searched for new faces, and how thoroughly. Cascades cost several times the network.

A search of the whole frame takes about as long as two frames last. So while faces are followed, most frames are not
searched, most searches use a small copy of the frame (which shows faces from an eighth of its height on), and few cover
the whole frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fkp_app.backends.predictor import Predictor
from fkp_app.faces.detector import Candidate
from fkp_app.faces.keypoints import SAME_FACE, Detector, Face, faces_among
from fkp_app.faces.proposals import Proposal
from fkp_app.faces.search import EDGES, TILTED, UPRIGHT, proposed
from fkp_app.faces.views import View, smaller
from fkp_app.geometry.boxes import box_of, covered
from fkp_app.geometry.framing import Square
from numpynet.typing import AnyArray, Array

SMALL = 320
"""Longer side of the small picture, in pixels."""
WHOLE_EVERY = 4
"""Every 4th search covers the whole frame."""
TURNED_EVERY = 6
"""Without a face, every 6th search also turns the picture."""
SOONER = 3
"""Without a face, search this many times as often."""
CUT = 0.6
"""If the small pictures of two frames correlate less than this, the frames show different scenes."""
FLAT = 2.0
"""A picture whose standard deviation is below this, in grey levels, shows nothing."""


@dataclass(frozen=True)
class Search:
    """One search of a frame: a detector that leaves out the faces already followed.

    known: squares of the faces already followed. small: search the small picture. turned: also search it turned and
    with extended edges; turned_small: use the small picture for that.
    """

    detector: Detector
    known: Sequence[Square]
    small: bool
    turned: bool
    turned_small: bool = True

    def faces(self, image: AnyArray, predictor: Predictor, min_confidence: float) -> list[Face]:
        """The faces in an RGB image (H, W, 3) that are not known: of the upright picture, else of the changed ones."""
        for ways in (UPRIGHT, EDGES, TILTED):
            found = faces_among(proposed(image, [View(image)], ways, self, predictor), min_confidence)
            if found:
                return found
        return []

    def candidates(self, image: AnyArray, angle: float = 0.0, margin: float = 0.0) -> list[Candidate | Proposal]:
        """The candidates in an RGB image that are no known face. Arguments as in `FaceDetector.candidates`."""
        changed = bool(angle or margin)
        if changed and not self.turned:
            return []
        small = self.turned_small if changed else self.small
        view = smaller(image, max(image.shape[:2]) / SMALL) if small else View(image)
        found = view.candidates(self.detector, angle, margin)
        known = [box_of(square) for square in self.known]
        return [one for one in found if all(covered(box_of(one.square), box) <= SAME_FACE for box in known)]


class Schedule:
    """Decides for each frame whether to search it. every: frames between searches while faces are followed."""

    def __init__(self, every: int) -> None:
        self._every = every
        self.restart()

    def restart(self) -> None:
        """Begin anew: the next frame is the first."""
        self._waited, self._searches, self._unturned = 0, 0, TURNED_EVERY

    def next(self, detector: Detector, known: Sequence[Square], cut: bool, lost: bool) -> Search | None:
        """The search that this frame needs, or None. cut: the frame begins a new scene. lost: a face was just lost."""
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
    """Detects cuts: frames that show another scene than the frame before."""

    def __init__(self) -> None:
        self._last: Array | None = None

    def changed(self, image: AnyArray) -> bool:
        """Whether an RGB image shows another scene than the last one. True for the first; light alone makes no cut."""
        tiny = cv2.cvtColor(cv2.resize(image, (32, 24), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        last, self._last = self._last, tiny.astype(np.float64) - tiny.mean()
        if last is None:
            return True
        spreads = last.std(), self._last.std()
        if min(spreads) < FLAT:
            return bool(max(spreads) >= FLAT)
        return bool((last * self._last).mean() / (spreads[0] * spreads[1]) < CUT)
