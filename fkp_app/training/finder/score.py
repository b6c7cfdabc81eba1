"""How well a finder does on composed pictures: the share of faces found at a given number of false ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fkp_app.faces.proposals import SAME_SQUARE, peaks
from fkp_app.geometry.boxes import box_of, covered, keep_heaviest
from fkp_app.geometry.face_grid import SIDE, Spot, decode
from fkp_app.training.finder.scenes import Scene
from numpynet.typing import Array

FALSE = 0.1
"""False faces per picture at which the share of faces found is measured."""
LEAST_LOGIT = -6.0
BATCH = 32


@dataclass(frozen=True)
class FinderScores:
    """found: the share of the faces whose side is within half an octave of SIDE that is found where FALSE places per
    picture are false. Of the faces found, the median errors: of the middle, in sides; of the side, in octaves; of the
    roll, in degrees. upside_down: the share of them whose roll is wrong by more than 90 degrees.
    """

    faces: int
    found: float
    middle: float
    octaves: float
    degrees: float
    upside_down: float


def score_finder(predict: Callable[[Array], Array], scenes: Sequence[Scene]) -> FinderScores:
    """The scores of a network on composed pictures. predict: images (N, 1, size, size) -> answers (N, 6, h, w)."""
    wanted, logits, false = 0, [], []
    errors: list[tuple[float, float, float]] = []
    for start in range(0, len(scenes), BATCH):
        part = scenes[start : start + BATCH]
        for scene, answer in zip(part, predict(np.stack([one.image for one in part])), strict=True):
            proposed = _distinct(decode(peaks(answer), LEAST_LOGIT))
            faces = [face for face in scene.faces if abs(np.log2(face.square[2] / SIDE)) <= 0.5]
            wanted += len(faces)
            for face in faces:
                seen = next((spot for spot in proposed if _is(spot, face)), None)
                if seen is not None:
                    logits.append(seen.logit)
                    errors.append(_error(seen, face))
            known = [*scene.faces, *scene.unclear]
            false += [spot.logit for spot in proposed if all(_apart(spot, face) > 0.7 for face in known)]
    least = float(np.sort([*false, *[-np.inf] * len(scenes)])[::-1][round(FALSE * len(scenes))])
    found = float(np.mean(np.array(logits) > least) * len(logits) / max(1, wanted)) if logits else 0.0
    medians = np.median(errors, axis=0) if errors else np.full(3, np.nan)
    middle, octaves, degrees = (float(number) for number in medians)
    wrong = float(np.mean([error[2] > 90 for error in errors])) if errors else 0.0
    return FinderScores(wanted, found, middle, octaves, degrees, wrong)


def _distinct(spots: list[Spot]) -> list[Spot]:
    boxes = [box_of(spot.square) for spot in spots]
    return [spots[i] for i in keep_heaviest(range(len(spots)), lambda i, k: covered(boxes[i], boxes[k]) > SAME_SQUARE)]


def _apart(spot: Spot, face: Spot) -> float:
    """The distance of the middles, in sides of the face."""
    return float(np.hypot(spot.square[0] - face.square[0], spot.square[1] - face.square[1]) / face.square[2])


def _is(spot: Spot, face: Spot) -> bool:
    return _apart(spot, face) < 0.35 and abs(np.log2(spot.square[2] / face.square[2])) < 0.7


def _error(spot: Spot, face: Spot) -> tuple[float, float, float]:
    turned = abs((spot.angle - face.angle + 180) % 360 - 180)
    return _apart(spot, face), abs(float(np.log2(spot.square[2] / face.square[2]))), turned
