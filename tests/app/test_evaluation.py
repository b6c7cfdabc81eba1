"""Scores: right where the answer is known, and worse for the mean face than for the truth."""

import numpy as np
import pytest

from fkp_app.backends import to_keypoints
from fkp_app.evaluation import mean_face, score
from fkp_app.recipes import RECIPES

CARD = RECIPES["compact"].card({})


def targets(faces=5):
    rng = np.random.default_rng(3)
    return rng.normal(0, 1, (faces, 136)).astype(np.float32)


def test_a_perfect_answer_scores_zero():
    scores = score(targets(), targets(), CARD)
    assert (scores.mse, scores.smooth_l1, scores.nme, scores.images) == (0, 0, 0, 5)


def test_an_offset_scores_what_it_must():
    truth = targets()
    scores = score(truth + np.float32(0.5), truth, CARD)
    assert scores.mse == pytest.approx(0.25)
    assert scores.smooth_l1 == pytest.approx(0.125)
    pixels = to_keypoints(truth, CARD)
    interocular = np.linalg.norm(pixels[:, 36] - pixels[:, 45], axis=1)
    shift = 0.5 * CARD.keypoint_scale * np.sqrt(2)
    assert scores.nme == pytest.approx(np.mean(100 * shift / interocular), rel=1e-5)
    assert scores.nme_median == pytest.approx(np.median(100 * shift / interocular), rel=1e-5)


def test_units_are_the_course_projects_at_its_size():
    card = RECIPES["net"].card({})
    assert (card.keypoint_offset, card.keypoint_scale, card.input_size) == (100.0, 50.0, 224)


def test_mean_face_is_the_mean_of_the_training_split(drawn_data):
    from fkp_app.dataset import load_split
    from fkp_app.recipes import evaluation_transform

    dataset = load_split(drawn_data, "training", evaluation_transform(CARD))
    faces = np.stack([dataset[i]["keypoints"].ravel() for i in range(len(dataset))])
    np.testing.assert_allclose(mean_face(drawn_data, CARD), faces.mean(axis=0), atol=1e-5)
