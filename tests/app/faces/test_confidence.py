"""The confidence of a face: what raises and what lowers it; real faces pass, other finds do not."""

import numpy as np
import pytest

from fkp_app.faces.confidence import HAAR, MIN_CONFIDENCE, NET, asymmetry, confidences, features, straying
from fkp_app.faces.detector import Candidate
from fkp_app.faces.proposals import Proposal
from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from tests.seeds import seeded


def symmetric(rng):
    """Random points that are symmetric about x = 50: each point's partner is its mirror image."""
    points = rng.uniform(0, 100, (68, 2))
    mirrored = points[FLIP_ORDER] * [-1, 1] + [100, 0]
    return (points + mirrored) / 2


def turned(points, degrees, zoom=1.0):
    turn = np.deg2rad(degrees)
    return zoom * points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + [7, -3]


def candidate(weight=10.0, seconded=10):
    return Candidate((0, 0, 100, 100), (50.0, 50.0, 87.6), 0.0, weight, seconded)


@pytest.mark.parametrize("degrees", [0, 30, 170])
def test_a_symmetric_shape_has_no_asymmetry_at_any_angle(degrees):
    rng = seeded("symmetric", degrees)
    assert asymmetry(turned(symmetric(rng), degrees, 3.0)) == pytest.approx(0, abs=1e-6)


def test_asymmetry_is_the_procrustes_distance_to_the_mirror_image():
    rng = seeded("procrustes")
    points = rng.uniform(0, 100, (68, 2))
    # The least-squares similarity from the mirrored points to the points, as a linear system.
    mirrored = (points * [-1, 1])[FLIP_ORDER]
    mirrored, centred = mirrored - mirrored.mean(axis=0), points - points.mean(axis=0)
    x, y = mirrored.T
    system = np.concatenate([np.column_stack([x, -y]), np.column_stack([y, x])])
    _, (residual,), *_ = np.linalg.lstsq(system, centred.T.reshape(-1), rcond=None)
    assert asymmetry(points) == pytest.approx(np.sqrt(residual / (centred**2).sum()), rel=1e-6)
    assert asymmetry(turned(points, 40, 0.1)) == pytest.approx(asymmetry(points), rel=1e-6)
    assert asymmetry(np.full((68, 2), 3.0)) == 0


def test_features_by_hand():
    rng = seeded("features")
    first = symmetric(rng)
    side = float(np.ptp(first, axis=0).max())
    second = first + np.array([0.03, 0.04]) * side
    values = features(candidate(weight=np.e**2, seconded=3), first, second)
    assert values == pytest.approx([2, np.log(4), np.log(0.05), 0], abs=1e-6)
    assert features(candidate(), first, first)[2] == pytest.approx(np.log(1e-3))  # finite if the points stay


def test_confidence_lies_between_0_and_1_and_grows_with_the_evidence():
    rng = seeded("evidence")
    first, second = symmetric(rng), symmetric(rng)
    weights = HAAR(np.array([features(candidate(weight=w), first, first) for w in (0.1, 1, 10, 100)]))
    assert ((weights > 0) & (weights < 1)).all()
    assert (np.diff(weights) > 0).all()
    few, many = HAAR(np.array([features(candidate(seconded=n), first, second) for n in (0, 20)]))
    assert few < many
    calm, wandering = HAAR(np.array([features(candidate(), first, first + d) for d in (1.0, 20.0)]))
    assert wandering < calm
    assert HAAR(np.array([[1e9, 0, 0, 0], [-1e9, 0, 0, 0]])) == pytest.approx([1, 0], abs=1e-9)


def face_like(angle=0.0):
    """68 points: eyes, and a chin below them, turned by `angle` degrees counterclockwise about (50, 50)."""
    points = np.full((68, 2), 50.0)
    points[36:42], points[42:48], points[8] = (30, 40), (70, 40), (50, 80)
    turn = np.deg2rad(-angle)
    return (points - 50) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + 50


@pytest.mark.parametrize("angle", [0.0, 40.0, -120.0])
def test_points_stray_from_a_proposal_in_place_size_and_roll(angle):
    points = face_like(angle)
    turn = np.deg2rad(-angle)
    middle = np.array([0.0, 10.0]) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + 50
    square = (*middle, 40.0)
    assert straying(square, angle, points) == pytest.approx(np.log(0.05))
    assert straying((middle[0] + 8, middle[1], 40.0), angle, points) == pytest.approx(np.log(0.2))
    assert straying((*middle, 80.0), angle, points) == pytest.approx(np.log(1), abs=1e-6)
    assert straying(square, angle + 45, points) == pytest.approx(np.log(0.5))
    assert straying(square, angle + 360, points) == pytest.approx(np.log(0.05))


def test_each_kind_of_candidate_has_its_own_confidence():
    points = face_like()
    proposal = Proposal((30, 40, 40, 40), (50.0, 60.0, 40.0), 0.0, 2.5)
    values = features(proposal, points, points)
    assert values == pytest.approx([2.5, np.log(1e-3), asymmetry(points), np.log(0.05)])
    both = confidences([proposal, candidate()], np.stack([points] * 2), np.stack([points] * 2))
    assert both == pytest.approx([NET(values), HAAR(features(candidate(), points, points))])
    assert confidences([], np.empty((0, 68, 2)), np.empty((0, 68, 2))).shape == (0,)


def test_real_faces_pass_and_other_finds_of_the_cascade_do_not():
    from fkp_app.backends.predictor import get_predictor
    from fkp_app.faces.detector import FaceDetector
    from fkp_app.faces.search import find_faces
    from tests.free_pictures import group_picture, hopper

    detector, predictor = FaceDetector(), get_predictor()
    image, known = group_picture()
    everything = find_faces(image, detector, predictor, min_confidence=0)
    sure = [face for face in everything if face.confidence >= MIN_CONFIDENCE]
    assert len(sure) == len(known)
    assert all(face.confidence > 0.9 for face in sure)
    rest = find_faces(np.ascontiguousarray(hopper()[330:]), detector, predictor)  # the uniform, without a head
    assert rest == []
