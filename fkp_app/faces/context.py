"""What the sure faces of a picture say about the others: who is much smaller, or upside down among them, is doubted."""

from collections.abc import Sequence
from dataclasses import replace

from fkp_app.faces.confidence import doubted
from fkp_app.faces.keypoints import Face
from fkp_app.geometry.framing import face_square
from fkp_app.geometry.keypoint_layout import eye_angle

SURE = 0.97
"""Faces of at least this confidence are believed, whatever else is in the picture."""
MUCH_SMALLER, RARELY_SMALLER = 0.3, 2.0
"""A face below this share of the largest sure face's size has its log odds lowered by this much."""
UPSIDE_DOWN, RARELY_TURNED = 100.0, 3.0
"""A face turned by more degrees against the surest one has its log odds lowered by this much."""


def in_context(faces: Sequence[Face]) -> list[Face]:
    """The same faces in the same order; the confidence of those that the sure faces make unlikely is lower."""
    sure = [face for face in faces if _confidence(face) >= SURE]
    if not sure:
        return list(faces)
    largest, up = max(_side(face) for face in sure), _roll(max(sure, key=_confidence))
    doubts = [
        RARELY_SMALLER * (_side(face) < MUCH_SMALLER * largest)
        + RARELY_TURNED * (abs((_roll(face) - up + 180) % 360 - 180) > UPSIDE_DOWN)
        for face in faces
    ]
    return [
        face if _confidence(face) >= SURE else replace(face, confidence=doubted(_confidence(face), doubt))
        for face, doubt in zip(faces, doubts, strict=True)
    ]


def _confidence(face: Face) -> float:
    return face.confidence or 0.0


def _side(face: Face) -> float:
    return face_square(face.keypoints)[2]


def _roll(face: Face) -> float:
    return float(eye_angle(face.keypoints))
