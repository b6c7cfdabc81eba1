"""`fkp inspect`: its pictures, and what it refuses."""

import numpy as np
import pytest

from fkp_app.commands.demo import sample_photo
from fkp_app.faces.finder import load_finder
from fkp_app.geometry.crop_card import CropCard
from fkp_app.media.images import read_image, write_image
from numpynet import KeypointNet, save_weights
from tests.free_pictures import group_picture

PICTURES = ["activations.png", "filters.png", "gradients.png", "heatmaps.png", "saliency-36.png", "updates.png"]


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """A photo of six faces."""
    path = tmp_path_factory.mktemp("photo") / "group.png"
    write_image(path, group_picture()[0])
    return path


def test_all_pictures_of_the_largest_face(group, tmp_path, fkp):
    out = tmp_path / "new" / "pictures"
    ended = fkp("inspect", group, "--out", out, "--keypoint", 36)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        f"{group}: 6 faces found, the largest one is drawn; --face 2 takes the next\n"
        f"{out}: activations.png, gradients.png, saliency-36.png, filters.png, updates.png, heatmaps.png\n"
    )
    assert sorted(path.name for path in out.iterdir()) == PICTURES
    for name in PICTURES:
        picture = read_image(out / name)
        assert picture.shape[1] == 1920
        assert 600 <= picture.shape[0] <= 1300
        assert len(set(map(tuple, picture[::9, ::9].reshape(-1, 3).tolist()))) > 50


def test_another_face_and_a_network_without_heat_maps(group, tmp_path, fkp, monkeypatch):
    """The network is a small one with random weights; the cascade and the shipped network find the faces."""
    net = KeypointNet(32, (3, 4), (5,), padding=1, rng=0)
    card = CropCard.describe(net.arguments, 32, {"kind": "face", "size": 32, "scale": 1.3}, 15.5, 16.0)
    save_weights(tmp_path / "small.safetensors", net.state_dict(), card)
    faces = load_finder()(read_image(group))
    monkeypatch.setattr("fkp_app.faces.finder.load_finder", lambda weights: lambda image: faces)
    crops = []
    for number in (1, 2):
        out = tmp_path / str(number)
        ended = fkp("inspect", group, "--out", out, "--face", number, "--weights", tmp_path / "small.safetensors")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == f"{out}: activations.png, gradients.png, saliency-30.png, filters.png, updates.png\n"
        crops.append(read_image(out / "saliency-30.png"))
    assert (crops[0] != crops[1]).any()


def test_a_file_that_exists_is_not_written_over(tmp_path, fkp):
    (tmp_path / "heatmaps.png").write_text("mine")
    ended = fkp("inspect", sample_photo(), "--out", tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"fkp: --out {tmp_path}: holds heatmaps.png already; choose another folder, or move that file\n"
    assert [path.name for path in tmp_path.iterdir()] == ["heatmaps.png"]
    assert (tmp_path / "heatmaps.png").read_text() == "mine"


def test_the_photo_is_not_written_over(tmp_path, fkp):
    photo = tmp_path / "gradients.png"
    write_image(photo, read_image(sample_photo()))
    before = photo.read_bytes()
    ended = fkp("inspect", photo, "--out", tmp_path)
    assert (ended.code, "holds gradients.png already" in ended.err) == (2, True)
    assert photo.read_bytes() == before


def test_bad_input_is_refused_in_one_line_and_no_folder_is_made(tmp_path, fkp):
    wall = tmp_path / "wall.png"
    write_image(wall, np.full((200, 200, 3), 128, np.uint8))
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07")
    out = tmp_path / "out"
    photo = sample_photo()
    for arguments, code, words in (
        ([wall], 1, f"{wall}: no face found, so there is nothing to draw; try a larger face that looks at the camera"),
        ([tmp_path / "none.jpg"], 1, f"{tmp_path / 'none.jpg'}: no such file"),
        ([tmp_path / "text.jpg"], 1, f"{tmp_path / 'text.jpg'}: "),
        ([photo, "--keypoint", 68], 2, "Invalid value for '--keypoint': must be between 0 and 67, got 68"),
        ([photo, "--keypoint", -1], 2, "Invalid value for '--keypoint': must be between 0 and 67, got -1"),
        ([photo, "--face", 2], 2, f"--face 2: {photo} has 1 face"),
        ([photo, "--face", 0], 2, "Invalid value for '--face': must be at least 1, got 0"),
        ([photo, "--weights", tmp_path / "net.onnx"], 2, f"--weights {tmp_path / 'net.onnx'}: is an ONNX file"),
        ([photo, "--weights", tmp_path / "none"], 1, f"{tmp_path / 'none'}: no such file"),
    ):
        ended = fkp("inspect", *arguments, "--out", out)
        assert (ended.code, ended.out) == (code, "")
        assert ended.err.startswith(f"fkp: {words}")
        assert ended.err.count("\n") == 1
        assert not out.exists()


def test_out_that_is_a_file(tmp_path, fkp):
    (tmp_path / "file").write_text("mine")
    ended = fkp("inspect", sample_photo(), "--out", tmp_path / "file")
    assert (ended.code, ended.err) == (2, f"fkp: --out {tmp_path / 'file'}: is a file or lies in one; name a folder\n")
