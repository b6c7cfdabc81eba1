"""The detectors by name; and weights of one kind where those of the other are wanted."""

import numpy as np
import pytest

from fkp_app import detect
from fkp_app.backends.predictor import SHIPPED_WEIGHTS, get_predictor
from fkp_app.cli import main
from fkp_app.commands.options import DETECTORS as OFFERED
from fkp_app.errors import UsageError
from fkp_app.faces.detector import Candidate
from fkp_app.faces.detectors import DEFAULT_DETECTOR, DETECTORS, make_detector
from fkp_app.faces.proposals import SHIPPED_FINDER, Proposal
from fkp_app.geometry.boxes import box_of, covered
from fkp_app.geometry.framing import face_square
from numpynet import CheckpointError
from tests.free_pictures import group_picture


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_finds_every_face_of_the_group_and_nothing_else(name):
    image, known = group_picture()
    faces = detect(image, detector=name)
    assert len(faces) == len(known)
    for one in known:
        eyes = box_of((*one.eyes, one.distance))
        (face,) = [face for face in faces if covered(box_of(face_square(face.keypoints)), eyes) > 0.5]
        between = (face.keypoints[36:42].mean(axis=0) + face.keypoints[42:48].mean(axis=0)) / 2
        assert np.linalg.norm(between - one.eyes) < 0.15 * one.distance


def test_both_detectors_give_the_candidates_of_each():
    image, _ = group_picture()
    kinds = [{type(one) for one in make_detector(name).candidates(image)} for name in ("haar", "net", "both")]
    assert kinds == [{Candidate}, {Proposal}, {Candidate, Proposal}]


def test_the_options_name_the_detectors():
    assert OFFERED == DETECTORS
    assert type(make_detector(None)) is type(make_detector(DEFAULT_DETECTOR))
    with pytest.raises(UsageError, match="--detector must be one of haar, net, both, got dlib"):
        make_detector("dlib")


def test_a_finders_weights_place_no_keypoints(capsys, tmp_path):
    for arguments in (
        ["detect", "a.png", "--weights", str(SHIPPED_FINDER)],
        ["export", "--weights", str(SHIPPED_FINDER), "--onnx", str(tmp_path / "a.onnx")],
    ):
        assert main(arguments) == 1
        line = capsys.readouterr().err
        assert line == f"fkp: {SHIPPED_FINDER}: holds a FinderNet, which proposes faces; keypoints need other weights\n"
    with pytest.raises(CheckpointError, match="holds a FinderNet"):
        get_predictor("torch", SHIPPED_FINDER)
    assert SHIPPED_WEIGHTS.stat().st_size > 2.5e6
    assert SHIPPED_FINDER.stat().st_size < 1e6


def test_a_wrong_detector_is_refused_in_one_line(capsys):
    assert main(["detect", "a.png", "--detector", "dlib"]) == 2
    assert "must be haar, net or both, got dlib" in capsys.readouterr().err
