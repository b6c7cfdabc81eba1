"""`python -m benchmarks looks`: frames made of two others, mirrored answers, float16 weights."""

import json
import shutil

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.quality.looks import FRAMES, in_float16, measure, mirrored
from fkp_app.backends.predictor import SHIPPED_WEIGHTS, get_predictor
from fkp_app.data.dataset import load_split
from fkp_app.evaluation.protocols import run_crops, run_second_look
from fkp_app.evaluation.views import face_view
from fkp_app.geometry.framing import face_square
from fkp_app.geometry.keypoint_layout import FLIP_ORDER


def test_a_frame_takes_its_centre_and_its_side_from_where_its_name_says():
    points = np.random.default_rng(0).random((68, 2))
    label, first = 100 * points, 50 * points + 30
    (x, y, side), (u, v, other) = face_square(label), face_square(first)
    assert FRAMES["label's square"](label, first) == ((x, y, side), 0.0)
    assert FRAMES["predicted centre, label's side"](label, first) == ((u, v, side), 0.0)
    assert FRAMES["label's centre, predicted side"](label, first) == ((x, y, other), 0.0)
    assert FRAMES["predicted square"](label, first) == ((u, v, other), 0.0)


def test_mirrored_crops_give_mirrored_points():
    both = mirrored(get_predictor("numpy"))
    crops = np.random.default_rng(0).random((2, 1, 96, 96), np.float32)
    points, other = both.keypoints(crops), both.keypoints(crops[..., ::-1])[:, FLIP_ORDER]
    np.testing.assert_allclose(points[..., 0], 95 - other[..., 0], atol=1e-3)
    np.testing.assert_allclose(points[..., 1], other[..., 1], atol=1e-3)


def test_the_rows_are_those_of_the_evaluation(drawn_data):
    dataset = load_split(drawn_data, "test").subset(range(5))
    predictor = get_predictor("numpy")
    figures = measure(dataset, predictor, in_float16(predictor, SHIPPED_WEIGHTS))
    crops = run_crops("a", "crop", predictor, dataset, face_view).errors.mean()
    second = run_second_look("a", "second look", predictor, dataset).errors.mean()
    assert figures["nme"]["label's square"] == pytest.approx(crops, rel=1e-4)
    assert figures["nme"]["predicted square, turned by prediction"] == pytest.approx(second, rel=1e-4)
    assert len(figures["nme"]) == 2 * len(FRAMES)
    assert figures["float16_crop_pixels"] < 0.1


def test_the_mean_of_several_networks(drawn_data, tmp_path, capsys):
    file, once = tmp_path / "looks.json", tmp_path / "once.json"
    options = ["looks", "--data", str(drawn_data), "--split", "test", "--every", "9", "--threads", "1"]
    assert main([*options, "--json", str(once)]) == 0
    assert "float16 moves points by at most" in capsys.readouterr().out
    copy = shutil.copy(SHIPPED_WEIGHTS, tmp_path / "copy.safetensors")
    both = ["--weights", str(SHIPPED_WEIGHTS), "--weights", str(copy)]
    assert main([*options, *both, "--json", str(file)]) == 0
    assert "float16" not in capsys.readouterr().out
    assert json.loads(file.read_text("utf-8"))["nme"] == pytest.approx(json.loads(once.read_text("utf-8"))["nme"])
