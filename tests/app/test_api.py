"""`fkp_app.detect`, as scripts call it."""

import io
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fkp_app import detect
from fkp_app.backends.predictor import SHIPPED_WEIGHTS
from fkp_app.errors import FkpError, UsageError
from fkp_app.faces import loaded
from fkp_app.faces.keypoints import last_look
from fkp_app.media.images import write_image
from numpynet.checkpoint import CheckpointError
from tests.free_pictures import astronaut, group_picture, hopper


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


def test_the_best_quality_moves_points_and_finds_the_same_faces(tmp_path):
    """Two copies of the shipped network have its points as their mean, but see each face once more."""
    for name in ("w.safetensors", "w-1.safetensors"):
        shutil.copy(SHIPPED_WEIGHTS, tmp_path / name)
    group, _ = group_picture()
    fast, best = (detect(group, weights=tmp_path / "w.safetensors", quality=quality) for quality in ("fast", "best"))
    assert [(face.box, face.confidence) for face in fast] == [(face.box, face.confidence) for face in best]
    again = last_look(group, np.stack([face.keypoints for face in fast]), loaded.predictor("numpy", None))
    for face, points, before in zip(best, again, fast, strict=True):
        np.testing.assert_allclose(face.keypoints, points, atol=1e-3)
        assert 0 < np.abs(points - before.keypoints).max() < 0.1 * face.box[2]
    assert detect(np.zeros((90, 90, 3), np.uint8), weights=tmp_path / "w.safetensors", quality="best") == []
    (tmp_path / "w-1.safetensors").unlink()
    with pytest.raises(UsageError, match=r"there is no w-1\.safetensors beside it"):
        detect(group, weights=tmp_path / "w.safetensors", quality="best")


def closed_file():
    file = io.BytesIO(b"content")
    file.close()
    return file


@pytest.mark.parametrize("image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8)])
def test_an_image_of_another_type_is_refused(image):
    with pytest.raises(ValueError, match=r"image: must be uint8 RGB \(H, W, 3\), got "):
        detect(image)


def test_what_cannot_be_used_is_said(tmp_path):
    with pytest.raises(FkpError, match=r"nowhere\.jpg: no such file"):
        detect(tmp_path / "nowhere.jpg")
    with pytest.raises(UsageError, match="must be one of numpy, torch, onnx"):
        detect(hopper(), backend="jax")
    with pytest.raises(UsageError, match="--quality must be fast or best, got good"):
        detect(hopper(), quality="good")
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
    """Each of eight threads has a picture of its own, which no other thread's answer fits."""
    group, _ = group_picture()
    pictures = [np.ascontiguousarray(group[:, :width]) for width in (480, 840)] + [hopper(), astronaut()]
    pictures += [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
    expected = [[face.keypoints for face in detect(picture)] for picture in pictures]
    assert [len(faces) for faces in expected] == [1, 3, 1, 1] * 2
    begin, found, detectors = threading.Barrier(len(pictures)), {}, set()

    def run(number):
        begin.wait(60)
        found[number] = [face.keypoints for face in detect(pictures[number])]
        detectors.add(loaded.detector())  # kept, so that no two share an address

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, keypoints in found.items():
        np.testing.assert_array_equal(keypoints, expected[number])
    assert len(found) == len(detectors) == len(pictures)


def test_the_snippet_of_the_readme_runs(tmp_path):
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
    program = readme.split("from fkp_app import detect")[1].split("```")[0]
    write_image(tmp_path / "party.jpg", group_picture()[0])
    done = subprocess.run(
        [sys.executable, "-c", f"from fkp_app import detect{program}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 6


def test_every_way_to_give_an_image(tmp_path):
    """Paths of any kind, open files and PIL images give the same result as the file's pixels."""

    class Place:
        def __fspath__(self):
            return str(tmp_path / "a.png")

    write_image(tmp_path / "a.png", hopper())
    (expected,) = detect(hopper())
    content = (tmp_path / "a.png").read_bytes()
    behind = io.BytesIO()
    behind.write(content)  # leaves the position at the end
    reader, writer = os.pipe()
    os.write(writer, content[:30_000])
    os.close(writer)
    with (tmp_path / "a.png").open("rb") as file, os.fdopen(reader, "rb") as pipe:
        given = [str(tmp_path / "a.png"), tmp_path / "a.png", Place(), io.BytesIO(content), behind, file]
        given += [Image.open(tmp_path / "a.png"), Image.fromarray(hopper()), hopper()[:, ::-1][:, ::-1]]
        for image in given:
            (face,) = detect(image)
            np.testing.assert_array_equal(face.keypoints, expected.keypoints)
        with pytest.raises(FkpError, match="is truncated or damaged"):
            detect(pipe)


def test_a_pil_image_is_seen_as_its_file_would_be(tmp_path):
    """Its orientation and profile apply in each mode, and the image itself is not changed."""
    exif = Image.Exif()
    exif[274] = 6
    turned = Image.fromarray(np.ascontiguousarray(hopper().transpose(1, 0, 2)[::-1]))
    for suffix in (".png", ".tif", ".webp", ".jpg"):
        path = tmp_path / f"a{suffix}"
        turned.save(path, exif=exif)
        (expected,) = detect(path)
        with Image.open(path) as picture:
            size = picture.size
            (face,) = detect(picture)
            assert picture.size == size
            np.testing.assert_array_equal(face.keypoints, expected.keypoints)
            upright = ImageOps.exif_transpose(picture)
            (face,) = detect(upright)
            np.testing.assert_array_equal(face.keypoints, expected.keypoints)
    for mode in ("L", "RGBA", "P", "CMYK"):
        assert len(detect(Image.fromarray(hopper()).convert(mode))) == 1


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, "got None, which cv2.imread gives for a file that it cannot read"),
        (b"\x89PNG", "got bytes; give a file's content as io.BytesIO"),
        (bytearray(3), "got bytearray; give a file's content as io.BytesIO"),
        ([[[0, 0, 0]]], "got list"),
        ([], "got list"),
        (7, "got int"),
        ({}, "got dict"),
        (closed_file(), "got a file that is closed"),
        (io.StringIO("words"), "got a file opened as text; open it with mode 'rb'"),
        (np.zeros((9, 9), np.uint8), "got uint8 .9, 9.; repeat a gray image"),
        (np.zeros((9, 9, 1), np.uint8), "got uint8 .9, 9, 1."),
        (np.zeros((9, 9, 4), np.uint8), "got uint8 .9, 9, 4.; leave the alpha out"),
        (np.zeros((2, 9, 9, 3), np.uint8), "got uint8 .2, 9, 9, 3."),
        (np.zeros((9, 9, 3), bool), "got bool .9, 9, 3.; scale its levels"),
        (np.zeros((9, 9, 3), np.int8), "got int8"),
        (np.zeros((9, 9, 3), np.uint16), "got uint16"),
        (np.zeros((9, 9, 3), object), "got object .9, 9, 3.; this is no array of numbers"),
        (np.array(None), "got object"),
        (np.uint8(3), "got uint8"),
    ],
)
def test_whatever_else_is_given_is_named(image, words):
    with pytest.raises(ValueError, match=rf"^image: must be .*{words}"):
        detect(image)


def test_a_pil_image_that_cannot_be_read_is_said(tmp_path):
    write_image(tmp_path / "a.jpg", hopper())
    data = (tmp_path / "a.jpg").read_bytes()
    for picture in (Image.open(io.BytesIO(data[: len(data) // 2])), Image.new("RGB", (0, 5))):
        with pytest.raises(FkpError, match=r"^image: "):
            detect(picture)
    picture = Image.open(tmp_path / "a.jpg")
    picture.close()
    with pytest.raises(FkpError, match=r"^image: "):
        detect(picture)
