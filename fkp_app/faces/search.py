"""Where to look for faces in a photo, and when to stop.

Most photos show upright heads, which one search of the upright picture finds. What follows depends on what it found:

    upright --- a sure face? --- no ---> edges and tilted --- a sure face? --- no ---> on its side, upside down
                     |                                             |                              |
                    yes                                           yes                             |
                     v                                             v                              v
       tilted and edges, for heads about as large, in a small copy of the picture                 |
                     |                                                                            |
                     v                                                                            v
              small faces, in tiles, if the faces found are small ----------------- or if none is sure

Whatever the searches propose is judged alike, by what the keypoint network makes of it, and the surest answer wins where
several show the same face.
"""

from collections.abc import Iterable, Sequence

from fkp_app.backends.predictor import Predictor
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.faces.detector import MIN_SIZE, SIDE, least_face
from fkp_app.faces.keypoints import REFINEMENTS, SAME_FACE, Detector, Face, faces_among, judged
from fkp_app.faces.levels import stretched
from fkp_app.faces.views import View, smaller, tile_shrink, tiles
from fkp_app.geometry.boxes import box_of, covered
from fkp_app.geometry.framing import face_square
from fkp_app.geometry.keypoint_layout import eye_angle
from numpynet.typing import AnyArray

SURE = 0.95
"""A face of at least this confidence makes further searches for the first face needless."""
ASIDE = (((0.0, 0.3),), ((-35.0, 0.0), (35.0, 0.0)))
"""The searches for heads that an upright search may miss: with extended edges, for heads that are cut off; turned each
way. Each is a list of (angle in degrees, margin as a share of the shorter side), the arguments of a detector."""
SIDES = (90.0, -90.0, 180.0)
"""Degrees by which a picture without a sure face is turned, as it may lie on its side or stand on its head."""
ABOUT_AS_LARGE = 0.9
"""Beside sure faces, heads that are tilted or cut off are searched for from this share of the smallest one's size on."""
PIXELS_A_FACE = 20_000
"""That search covers at most so many pixels for each sure face: the more people, the more are likely to be there."""
SMALL = 2.5
"""Faces are small if they are at most this many times as large as the smallest that a search of the whole image finds."""


def find_faces(
    image: AnyArray,
    detector: Detector,
    predictor: Predictor,
    refinements: int = REFINEMENTS,
    min_confidence: float = MIN_CONFIDENCE,
) -> list[Face]:
    """Every face in an RGB image (H, W, 3), the largest first, each face once. The module's docstring says where it looks.

    refinements: number of further looks of the network. min_confidence: faces below it are left out.
    """
    search = _Search(stretched(image), detector, predictor, refinements)
    whole, up, aside = View(search.image), 0.0, list(ASIDE)
    search.look([whole], (up, 0.0))
    while aside and not search.sure():
        search.look([whole], *aside.pop(0))
    if not search.sure():
        search.look([whole], *((side, 0.0) for side in SIDES))
        up = _up(search.sure())
    if search.sure():
        search.look([_beside(search)], *((up + tilt, margin) for ways in aside for tilt, margin in ways))
    if _has_small(search):
        search.look(tiles(search.rest(tile_shrink(*image.shape[:2]))), (up, 0.0))
    return faces_among(search.faces, min_confidence)


class _Search:
    """The search of one image: what has been found so far, as judged candidates."""

    def __init__(self, image: AnyArray, detector: Detector, predictor: Predictor, refinements: int) -> None:
        self.image, self.faces = image, list[Face]()
        self._detector, self._predictor, self._refinements = detector, predictor, refinements

    def look(self, views: Iterable[View], *ways: tuple[float, float]) -> None:
        """Search each view in each way, an angle in degrees and a margin as a share of the shorter side, for new faces."""
        known = [box_of(face_square(face.keypoints)) for face in self.sure()]
        found = [
            one
            for view in views
            for way in ways
            for one in view.candidates(self._detector, *way)
            if all(covered(box_of(one.square), box) <= SAME_FACE for box in known)
        ]
        self.faces += judged(self.image, found, self._predictor, self._refinements)

    def rest(self, shrink: float) -> View:
        """A copy of the image, smaller by a factor, that shows no sure face any more."""
        return smaller(self.image, shrink).without(face_square(face.keypoints) for face in self.sure())

    def sure(self) -> list[Face]:
        """The sure faces found so far, each once."""
        return faces_among(self.faces, SURE)


def _beside(search: _Search) -> View:
    """A copy of the image without the sure faces, so small that a search of it is cheap and shows heads as large."""
    sure, pixels = search.sure(), search.image.shape[0] * search.image.shape[1]
    by_size, by_time = ABOUT_AS_LARGE * _smallest(sure) / MIN_SIZE, (pixels / (PIXELS_A_FACE * len(sure))) ** 0.5
    return search.rest(max(by_size, by_time))


def _smallest(faces: Sequence[Face]) -> float:
    """Side of the smallest face's box, in pixels."""
    return min((square_side(face) for face in faces), default=0.0)


def square_side(face: Face) -> float:
    return face_square(face.keypoints)[2] / SIDE


def _up(sure: Sequence[Face]) -> float:
    """The quarter turn, in degrees clockwise as seen, that sets the surest of these faces upright; 0 without one."""
    surest = max(sure, key=lambda face: face.confidence or 0.0, default=None)
    return 0.0 if surest is None else -90.0 * round(float(eye_angle(surest.keypoints)) / 90)


def _has_small(search: _Search) -> bool:
    """Whether tiles may show faces that the whole image did not: it shows only larger ones, and none or small ones."""
    height, width = search.image.shape[:2]
    least = least_face(height, width)
    return least > 1.2 * tile_shrink(height, width) * MIN_SIZE and _smallest(search.sure()) <= SMALL * least
