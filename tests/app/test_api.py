"""`fkp_app.detect`, as a script uses it."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from fkp_app import detect, loaded
from fkp_app.backends import SHIPPED_WEIGHTS
from fkp_app.errors import FkpError, UsageError
from fkp_app.images import write_image
from numpynet.checkpoint import CheckpointError
from tests.free_pictures import group_picture, hopper


def test_a_file_and_its_pixels_give_the_same(tmp_path):
    write_image(tmp_path / "a.png", hopper())
    (one,), (other,) = detect(tmp_path / "a.png"), detect(hopper())
    assert one.box == other.box
    assert one.keypoints.shape == (68, 2)
    assert one.keypoints.dtype == np.float32
    np.testing.assert_array_equal(one.keypoints, other.keypoints)
    assert [face.box for face in detect(str(tmp_path / "a.png"))] == [one.box]


def test_how_sure_faces_must_be():
    group, _ = group_picture()
    everything, usual = detect(group, min_confidence=0), detect(group)
    assert len(usual) == 6
    least = min(face.confidence for face in usual)
    assert [face.box for face in detect(group, min_confidence=least + 1e-6)] == [
        face.box for face in usual if face.confidence > least
    ]
    assert len(everything) >= len(usual)


@pytest.mark.parametrize("image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8)])
def test_what_is_no_image_is_said(image):
    with pytest.raises(ValueError, match=r"image: must be uint8 RGB \(H, W, 3\), got "):
        detect(image)


def test_what_cannot_be_used_is_said(tmp_path):
    with pytest.raises(FkpError, match=r"nowhere\.jpg: no such file"):
        detect(tmp_path / "nowhere.jpg")
    with pytest.raises(UsageError, match="must be one of numpy, torch, onnx"):
        detect(hopper(), backend="jax")
    (tmp_path / "w.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is empty"):
        detect(hopper(), weights=tmp_path / "w.safetensors")


def test_weights_are_loaded_once_and_anew_where_they_changed(tmp_path):
    weights = shutil.copy(SHIPPED_WEIGHTS, tmp_path / "w.safetensors")
    first = loaded.predictor("numpy", weights)
    assert loaded.predictor("numpy", weights) is first
    os.utime(weights, ns=(1, 1))
    assert loaded.predictor("numpy", weights) is not first
    Path(weights).unlink()
    with pytest.raises(CheckpointError, match="no such file"):
        loaded.predictor("numpy", weights)


def test_threads_find_what_one_finds_and_share_no_cascade():
    group, _ = group_picture()
    expected = [face.keypoints for face in detect(group)]
    found, detectors = {}, set()

    def run(name):
        found[name] = [face.keypoints for face in detect(group)]
        detectors.add(loaded.detector())  # kept, so that none takes the place of another

    threads = [threading.Thread(target=run, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for keypoints in found.values():
        np.testing.assert_array_equal(keypoints, expected)
    assert len(found) == len(detectors) == 4


def test_the_snippet_of_the_readme_runs(tmp_path):
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
    program = readme.split("from fkp_app import detect")[1].split("```")[0]
    write_image(tmp_path / "party.jpg", group_picture()[0])
    done = subprocess.run(
        [sys.executable, "-c", f"from fkp_app import detect{program}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 6
