"""Where to look for faces in a photo, and when to stop.

Most photos show upright heads, which one search of the upright picture finds. What follows depends on what it found:

    upright --> edges extended --> tilted --> far tilted, on its side, upside down
       |              |               |                     |
       +--------------+---------------+---------------------+   as soon as a face is sure:
                                      v                     |
      beside it, in a small copy: edges and tilted heads    |   no face is sure
                                      v                     v
      in tiles, for small faces: if the faces found are small, or none is sure

Whatever the searches propose is judged alike, by what the keypoint network makes of it, and the surest answer wins
where several show the same face.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from fkp_app.backends.predictor import Predictor
from fkp_app.faces.confidence import MIN_CONFIDENCE, doubted
from fkp_app.faces.context import SURE, in_context
from fkp_app.faces.detector import MIN_SIZE, SIDE
from fkp_app.faces.keypoints import REFINEMENTS, SAME_FACE, Detector, Face, Proposer, faces_among, judged
from fkp_app.faces.levels import stretched
from fkp_app.faces.views import TILE_SIDE, View, smaller, tile_shrink, tiles
from fkp_app.geometry.boxes import box_of, covered
from fkp_app.geometry.framing import Square, face_square
from fkp_app.geometry.keypoint_layout import eye_angle
from numpynet.typing import AnyArray


class Way(NamedTuple):
    """A way to search a picture: the arguments of a detector, and what experience says about its finds.

    angle: degrees by which the picture is turned. margin: by which its edges are extended, as a share of the shorter
    side. doubt: how much less likely a candidate of this way is a face than an equal one of the upright picture, in log
    odds.
    """

    angle: float = 0.0
    margin: float = 0.0
    doubt: float = 0.0


TILE = Way(doubt=0.7)
UPRIGHT = (Way(),)
EDGES = (Way(margin=0.3, doubt=1.3),)
"""The way for heads that the edge cuts off."""
TILTED = (Way(-30, doubt=1.3), Way(30, doubt=1.3))
FAR_TILTED = (Way(-60, doubt=2.0), Way(60, doubt=2.0))
"""The ways for tilted heads. An upright search finds heads that are tilted by up to some 20 degrees."""
SIDES = (Way(90, doubt=2.2), Way(-90, doubt=2.2), Way(180, doubt=2.2))
"""The ways for a picture that lies on its side or stands on its head."""
STAGES = (UPRIGHT, EDGES, TILTED)
"""The first searches, in this order, until a face is sure; if none is, FAR_TILTED and SIDES follow."""
ABOUT_AS_LARGE = 0.75
"""Beside sure faces, tilted and cut-off heads are searched for from this share of the smallest one's size on."""
PIXELS_A_FACE = 60_000
"""That search covers at most so many pixels for each sure face: the more people, the more are likely to be there."""
MAIN = 0.3
"""A face of at least this share of the image's shorter side is what the picture shows."""
SMALL = 2.5
"""Faces are small if they are at most so many times as large as the smallest that a search of the whole image finds."""


def find_faces(
    image: AnyArray,
    detector: Detector,
    predictor: Predictor,
    refinements: int = REFINEMENTS,
    min_confidence: float = MIN_CONFIDENCE,
) -> list[Face]:
    """Every face in an RGB image (H, W, 3), each once, the largest first. The module's docstring says where it looks.

    refinements: number of further looks of the network. min_confidence: faces below it are left out.
    """
    search = _Search(stretched(image), detector, predictor, refinements)
    whole, tried = View(search.image), list[Sequence[Way]]()
    for ways in STAGES:
        if not search.sure():
            search.look([whole], ways)
            tried.append(ways)
    if not search.sure():
        search.look([whole], FAR_TILTED + SIDES)
    up = _up(search.sure())
    if search.sure():
        _look_beside(search, [way for ways in STAGES if up or ways not in tried for way in ways], up)
    if _has_small(search, detector):
        search.look(tiles(search.rest(tile_shrink(*image.shape[:2]))), _turned([TILE], up))
    return faces_among(in_context(search.faces), min_confidence)


def proposed(
    image: AnyArray,
    views: Iterable[View],
    ways: Sequence[Way],
    detector: Proposer,
    predictor: Predictor,
    refinements: int = REFINEMENTS,
    known: Sequence[Square] = (),
) -> list[Face]:
    """What a detector proposes in views of an RGB image (H, W, 3), each searched in each way, as judged candidates.

    known: face squares; what shares more than SAME_FACE with one of them is left out.
    """
    places = [box_of(square) for square in known]
    found, doubts = [], []
    for view, way in product(views, ways):
        for one in view.candidates(detector, way.angle, way.margin):
            if all(covered(box_of(one.square), place) <= SAME_FACE for place in places):
                found.append(one)
                doubts.append(way.doubt)
    faces = judged(image, found, predictor, refinements)
    return [
        replace(face, confidence=doubted(face.confidence or 0.0, doubt))
        for face, doubt in zip(faces, doubts, strict=True)
    ]


class _Search:
    """The search of one image: what has been found so far, as judged candidates."""

    def __init__(self, image: AnyArray, detector: Detector, predictor: Predictor, refinements: int) -> None:
        self.image, self.faces = image, list[Face]()
        self._detector, self._predictor, self._refinements = detector, predictor, refinements

    def look(self, views: Iterable[View], ways: Sequence[Way]) -> None:
        """Search each view in each way for faces other than the sure ones."""
        known = [face_square(face.keypoints) for face in self.sure()]
        self.faces += proposed(self.image, views, ways, self._detector, self._predictor, self._refinements, known)

    def rest(self, shrink: float) -> View:
        """A copy of the image, smaller by a factor, that shows no sure face any more."""
        return smaller(self.image, shrink).without(face_square(face.keypoints) for face in self.sure())

    def sure(self) -> list[Face]:
        """The sure faces found so far, each once."""
        return faces_among(self.faces, SURE)


def _look_beside(search: _Search, ways: Sequence[Way], up: float) -> None:
    """Search beside the sure faces; for far tilted heads only if that is likely to find some.

    It is if others there turn out to be tilted, or if a single face is too small to be all that the picture shows.
    """
    before = search.sure()
    alone = len(before) == 1 and _smallest(before) < MAIN * min(search.image.shape[:2])
    search.look([_beside(search)], _turned(ways, up))
    if alone or len(search.sure()) > len(before):
        search.look([_beside(search)], _turned(FAR_TILTED, up))


def _turned(ways: Sequence[Way], up: float) -> list[Way]:
    """The same ways in a picture that stands upright if turned by `up` degrees."""
    return [way._replace(angle=way.angle + up) for way in ways]


def _beside(search: _Search) -> View:
    """A copy of the image without the sure faces, so small that a search of it is cheap and shows heads as large."""
    sure, pixels = search.sure(), search.image.shape[0] * search.image.shape[1]
    by_size, by_time = ABOUT_AS_LARGE * _smallest(sure) / MIN_SIZE, (pixels / (PIXELS_A_FACE * len(sure))) ** 0.5
    return search.rest(max(by_size, by_time))


def _smallest(faces: Sequence[Face]) -> float:
    """Side of the smallest face's box, in pixels of the image; 0 without faces."""
    return min((face_square(face.keypoints)[2] / SIDE for face in faces), default=0.0)


def _up(sure: Sequence[Face]) -> float:
    """The quarter turn, in degrees clockwise as seen, that sets the surest of these faces upright; 0 without one."""
    surest = max(sure, key=lambda face: face.confidence or 0.0, default=None)
    return 0.0 if surest is None else -90.0 * round(float(eye_angle(surest.keypoints)) / 90)


def _has_small(search: _Search, detector: Detector) -> bool:
    """Whether tiles may show faces that the whole image did not: it shows only larger ones, and none or small ones."""
    height, width = search.image.shape[:2]
    least, least_in_tiles = (
        detector.least(height, width),
        tile_shrink(height, width) * detector.least(TILE_SIDE, TILE_SIDE),
    )
    return least > 1.2 * least_in_tiles and _smallest(search.sure()) <= SMALL * least
