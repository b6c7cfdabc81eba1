"""Composed pictures: faces are where the labels say."""

import cv2
import numpy as np
import pytest

from fkp_app.geometry.boxes import box_of
from fkp_app.geometry.face_grid import Spot
from fkp_app.geometry.framing import Framing, crop_matrix, warp
from fkp_app.training.augmentation import Augmentation, Light
from fkp_app.training.finder.backgrounds import PHOTOS, pattern, shipped_photos
from fkp_app.training.finder.scenes import Composer, Labelled, Scenes

WHOLE = Scenes(faces=1.0, sides=(24.0, 48.0), wild=0.0, squeeze=0.0, cut_out=0.0)


def drawn(angle=0.0):
    """A frame with a white disc as its face: a black nose points up, turned by -angle degrees."""
    image = np.full((180, 200), 90, np.uint8)
    x, y, side = 110.0, 80.0, 60.0
    cv2.circle(image, (110, 80), 30, 255, -1)
    turn = np.deg2rad(-angle)
    tip = (x + 22 * np.sin(turn), y - 22 * np.cos(turn))
    cv2.line(image, (110, 80), (round(tip[0]), round(tip[1])), 0, 9)
    return Labelled(image, Spot((x, y, side), angle))


@pytest.mark.parametrize("angle", [0.0, 30.0])
@pytest.mark.parametrize("cut_out", [0.0, 1.0])
def test_a_label_cuts_out_an_upright_face(angle, cut_out):
    composer = Composer([drawn(angle)], [], Scenes(**{**vars(WHOLE), "cut_out": cut_out}), Augmentation(), 160)
    rng = np.random.default_rng(3)
    noses, below = [], []
    for _ in range(30):
        scene = composer(rng)
        assert scene.image.shape == (1, 160, 160)
        assert scene.image.dtype == np.float32
        assert 0 <= scene.image.min() <= scene.image.max() <= 1
        for face in scene.faces:
            crop = warp(scene.image[0], crop_matrix(face.square, Framing("face", 60, 1.0), face.angle), 60)
            noses.append(crop[14:20, 28:32].mean())
            below.append(crop[44:50, 28:32].mean())
    assert len(noses) > 20
    assert np.median(noses) < 0.3  # the nose, above the middle; the edge of a tile hides a few
    assert np.median(below) > 0.9  # the disc's white


def test_most_of_a_face_must_be_seen():
    composer = Composer([drawn()], [], WHOLE, Augmentation(), 96)
    rng = np.random.default_rng(0)
    scenes = [composer(rng) for _ in range(60)]
    for scene in scenes:
        for face in scene.faces:
            x, y, w, h = box_of(face.square)
            inside = (min(x + w, 96) - max(x, 0)) * (min(y + h, 96) - max(y, 0)) / (w * h)
            assert inside > 0.5
    assert any(scene.unclear for scene in scenes)


def test_sizes_and_rolls_are_as_the_settings_say():
    composer = Composer(
        [drawn()], [], Scenes(**{**vars(WHOLE), "turned": 0.0, "tilted": 0.0, "roll": 5.0}), Augmentation()
    )
    rng = np.random.default_rng(0)
    faces = [face for _ in range(80) for face in composer(rng).faces]
    assert all(23.9 < face.square[2] < 48.1 for face in faces)
    assert np.std([face.angle for face in faces]) == pytest.approx(5, rel=0.3)


def test_the_same_seed_composes_the_same_picture():
    light = Augmentation(light=Light(probability=1.0))
    composer = Composer([drawn()], [pattern(200, np.random.default_rng(1))], Scenes(), light)
    one, two, other = (composer(np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.image, two.image)
    assert one.faces == two.faces
    assert not np.array_equal(one.image, other.image)


def test_patterns_differ_and_are_pictures():
    rng = np.random.default_rng(0)
    patterns = [pattern(64, rng) for _ in range(20)]
    assert all(one.shape == (64, 64) and one.dtype == np.uint8 for one in patterns)
    assert np.mean([one.std() > 5 for one in patterns]) > 0.8


def test_photos_of_installed_packages_are_found():
    assert len(shipped_photos()) >= len(PHOTOS["skimage/data"]) - 2  # another version may lack one or two
    assert all(photo.ndim == 2 and photo.dtype == np.uint8 for photo in shipped_photos())
