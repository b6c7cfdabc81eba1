"""Faces cut out upright."""

import cv2
import numpy as np
import pytest

from fkp_app import detect
from fkp_app.faces.alignment import ROOM, aligned_crop
from fkp_app.faces.keypoints import Face
from fkp_app.geometry.framing import apply
from fkp_app.geometry.keypoint_layout import OUTER_EYES
from tests.free_pictures import hopper


@pytest.fixture(scope="module")
def portrait():
    """A photo with one face, and that face."""
    photo = hopper()
    (face,) = detect(photo)
    return photo, face


@pytest.mark.parametrize("angle", [-60, 25, 170])
def test_the_same_face_however_it_is_turned(angle, portrait):
    photo, face = portrait
    size = (photo.shape[1], photo.shape[0])
    turn = cv2.getRotationMatrix2D(tuple(map(float, face.keypoints[30])), -angle, 0.8)
    turned = cv2.warpAffine(photo, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = Face(face.box, face.confidence, apply(turn, face.keypoints.astype(np.float64)).astype(np.float32))
    one, other = aligned_crop(photo, face, 128), aligned_crop(turned, moved, 128)
    assert one.shape == other.shape == (128, 128, 3)
    middle = np.s_[20:108, 20:108]
    assert np.abs(one[middle].astype(int) - other[middle]).mean() < 6  # resampled twice
    assert np.abs(one[middle].astype(int) - other[::-1, ::-1][middle]).mean() > 25


def test_eyes_are_level_and_the_face_fills_its_share(portrait):
    photo, face = portrait
    crop = aligned_crop(photo, face, 512)
    (found,) = detect(crop)
    right, left = found.keypoints[list(OUTER_EYES)]
    assert abs(np.degrees(np.arctan2(*(left - right)[::-1]))) < 2
    spans = np.ptp(found.keypoints, axis=0)
    assert spans.max() == pytest.approx(512 / ROOM, rel=0.06)


def test_a_face_over_the_edge_and_one_without_a_shape(portrait):
    photo, face = portrait
    beyond = Face((0, 0, 9, 9), None, face.keypoints - np.float32([face.keypoints[:, 0].mean(), 0]))
    assert aligned_crop(photo, beyond).shape == (256, 256, 3)
    flat = Face((0, 0, 9, 9), None, np.full((68, 2), 40, np.float32))
    assert aligned_crop(photo, flat, 32).shape == (32, 32, 3)
