"""The finder's scores: faces found at a given number of false ones, and how far proposals are from the faces."""

import numpy as np
import pytest

from fkp_app.geometry.face_grid import Spot
from fkp_app.training.finder.scenes import Scene
from fkp_app.training.finder.score import score_finder
from fkp_app.training.finder.targets import targets


def scene(*faces):
    return Scene(np.zeros((1, 64, 64), np.float32), list(faces), [])


def answers(*scenes):
    """The answers of a network that sees exactly the faces of the scenes, with logits as given beside each."""
    found = []
    for faces in scenes:
        answer = np.zeros((6, 8, 8), np.float32)
        answer[0] = -9
        for face, logit in faces:
            target = targets([face], [], 64)[1:]
            here = target[0] == 1
            answer[:, here] = target[:, here]
            answer[0, here] = logit
        found.append(answer)
    return np.stack(found)


FACE = Spot((20.0, 20.0, 34.0), 30.0)
OTHER = Spot((50.0, 50.0, 30.0), 0.0)


def test_a_perfect_network_finds_all_without_error():
    scores = score_finder(lambda _: answers([(FACE, 3)], [(OTHER, 2)]), [scene(FACE), scene(OTHER)])
    assert (scores.faces, scores.found, scores.upside_down) == (2, 1.0, 0.0)
    assert max(scores.middle, scores.octaves, scores.degrees) < 1e-3


def test_errors_are_those_of_the_proposal():
    seen = Spot((23.4, 20.0, 34.0 * 2**0.25), 210.0)
    scores = score_finder(lambda _: answers([(seen, 3)]), [scene(FACE)])
    assert scores.found == 1
    assert scores.middle == pytest.approx(0.1, abs=1e-3)
    assert scores.octaves == pytest.approx(0.25, abs=1e-3)
    assert scores.degrees == pytest.approx(180, abs=0.1)
    assert scores.upside_down == 1


def test_a_false_face_with_a_higher_logit_hides_those_below_it():
    scenes = [scene(FACE)] + [scene()] * 9
    one_false = answers([(FACE, 2)], [(OTHER, 3)], *[[]] * 8)
    assert score_finder(lambda _: one_false, scenes).found == 1  # one false face in ten pictures is allowed
    two_false = answers([(FACE, 2)], [(OTHER, 3)], [(OTHER, 4)], *[[]] * 7)
    assert score_finder(lambda _: two_false, scenes).found == 0


def test_faces_of_other_sizes_are_neither_wanted_nor_false():
    large = Spot((30.0, 30.0, 60.0), 0.0)
    seen = Spot((30.0, 30.0, 40.0), 0.0)
    scores = score_finder(lambda _: answers([(seen, 5)], [(FACE, 1)]), [scene(large), scene(FACE)])
    assert (scores.faces, scores.found) == (1, 1.0)


def test_a_network_that_sees_nothing_has_scores_too():
    scores = score_finder(lambda _: answers([]), [scene(FACE)])
    assert (scores.faces, scores.found) == (1, 0.0)
