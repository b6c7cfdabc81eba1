"""`fkp detect` finds the faces in every kind of image, and writes them as JSON, CSV and pictures."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from fkp_app.backends.predictor import SHIPPED_WEIGHTS
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.media.images import read_image, write_image
from fkp_app.pipeline.results import CSV_COLUMNS
from tests.app.commands.one_face import one_face
from tests.free_pictures import group_picture

SAVED_AS = {
    "rgb.png": lambda p: p,
    "rgb.jpg": lambda p: p,
    "gray.png": lambda p: p.convert("L"),
    "gray16.png": lambda p: Image.fromarray(np.asarray(p.convert("L")).astype(np.uint16) * 257),
    "rgba.png": lambda p: p.convert("RGBA"),
    "palette.png": lambda p: p.convert("P", palette=Image.Palette.ADAPTIVE),
    "cmyk.jpg": lambda p: p.convert("CMYK"),
    "cmyk.tif": lambda p: p.convert("CMYK"),
    "Grace Hopper – адмирал 海軍.png": lambda p: p,
}


@pytest.mark.parametrize("name", SAVED_AS)
def test_every_kind_of_image(name, portrait, tmp_path, fkp):
    picture, points = portrait
    SAVED_AS[name](Image.fromarray(picture)).save(tmp_path / name)
    ended = fkp("detect", tmp_path / name, "--json", "-")
    guess = f"fkp: {tmp_path / name}: is CMYK without a colour profile; its colours are a guess\n"
    assert (ended.code, ended.err) == (0, guess if name.startswith("cmyk") else "")
    result = one_face(ended.out, points)
    assert (result["image"], result["width"], result["height"]) == (str(tmp_path / name), 300, 300)
    assert 0.5 < result["faces"][0]["confidence"] <= 1


def test_a_png_called_jpg(portrait, tmp_path, fkp):
    picture, points = portrait
    Image.fromarray(picture).convert("RGBA").save(tmp_path / "a.jpg", "PNG")
    one_face(fkp("detect", tmp_path / "a.jpg", "--json", "-").out, points)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_coordinates_are_those_of_the_picture_as_displayed(orientation, portrait, tmp_path, fkp):
    picture, points = portrait
    # The stored pixels that a viewer turns into the portrait if it obeys the tag (EXIF 2.3, Orientation).
    stored = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, 1),
        7: picture[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(picture, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    ended = fkp("detect", tmp_path / "a.png", "--json", "-", "--out", tmp_path / "out")
    one_face(ended.out, points)
    marked = read_image(tmp_path / "out" / "a.png.png").astype(int)
    away = np.abs(marked - picture).max(axis=2) < 3
    assert away.mean() > 0.8  # upright too, except for box and points


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 50), (30, 30), (6000, 4500)])
def test_sizes_without_a_face(width, height, tmp_path, fkp):
    path = tmp_path / "flat.png"
    Image.new("RGB", (width, height), (90, 90, 200)).save(path, compress_level=1)
    for command in ("detect", "filter"):
        ended = fkp(command, path, "--out", tmp_path / command)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith(f"{path}: no faces found")
        np.testing.assert_array_equal(read_image(tmp_path / command / "flat.png.png"), read_image(path))


def test_a_very_large_photo(portrait, tmp_path, fkp):
    picture, points = portrait
    large = Image.fromarray(picture).resize((4800, 4800))
    large.save(tmp_path / "large.jpg")
    one_face(fkp("detect", tmp_path / "large.jpg", "--json", "-").out, 16 * points)


def test_a_line_beside_json_on_stdout_says_that_nothing_was_found(tmp_path, fkp):
    Image.new("RGB", (200, 100), "white").save(tmp_path / "white.png")
    ended = fkp("detect", tmp_path / "white.png", "--json", "-")
    assert ended.code == 0
    assert json.loads(ended.out) == [{"image": str(tmp_path / "white.png"), "width": 200, "height": 100, "faces": []}]
    assert ended.err == f"fkp: {tmp_path / 'white.png'}: no faces found\n"


CUTS = {
    **{"left": np.s_[:, 48:], "right": np.s_[:, :260], "top": np.s_[48:], "bottom": np.s_[:260]},
    **{"further left": np.s_[:, 95:], "further from the top": np.s_[110:]},  # through an eye, through the brows
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_face_cut_by_the_edge(cut, portrait, tmp_path, fkp):
    """The cuts leave enough of it for a cascade; the last search continues the edges."""
    picture, eyes = portrait
    write_image(tmp_path / "cut.png", np.ascontiguousarray(picture[cut]))
    ended = fkp("detect", tmp_path / "cut.png", "--json", "-")
    assert ended.code == 0
    (result,) = json.loads(ended.out)
    assert len(result["faces"]) == 1
    (face,) = result["faces"]
    x, y, w, h = face["box"]
    assert x >= 0 <= y
    assert x + w <= result["width"]
    assert y + h <= result["height"]
    left_eye = np.array(face["keypoints"][42:48]).mean(axis=0)  # no cut reaches this eye
    there = eyes[1] - [
        cut[1].start or 0 if isinstance(cut, tuple) else 0,
        0 if isinstance(cut, tuple) else cut.start or 0,
    ]
    assert np.abs(left_eye - there).max() < 15
    assert fkp("filter", tmp_path / "cut.png", "--out", tmp_path / "out").code == 0
    assert read_image(tmp_path / "out" / "cut.png.png").shape[:2] == (result["height"], result["width"])


@pytest.mark.parametrize("backend", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
def test_everyone_in_a_group_as_json_csv_and_picture(backend, tmp_path, fkp):
    image, known = group_picture()
    write_image(tmp_path / "group.png", image)
    ended = fkp(
        *("detect", tmp_path / "group.png", "--backend", backend, "--threads", 1),
        *("--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv", "--out", tmp_path / "marked"),
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{tmp_path}/group.png: 6 faces found -> {tmp_path}/marked/group.png.png\n"
    (result,) = json.loads((tmp_path / "a.json").read_text("utf-8"))
    with (tmp_path / "a.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == CSV_COLUMNS
    assert len(header) == 7 + 136 + 3
    assert len(rows) == len(result["faces"]) == len(known)
    areas = [face["box"][2] * face["box"][3] for face in result["faces"]]
    assert areas == sorted(areas, reverse=True)
    for i, (row, face) in enumerate(zip(rows, result["faces"], strict=True)):
        assert row[:2] == [str(tmp_path / "group.png"), str(i)]
        assert [int(v) for v in row[2:6]] == face["box"]
        assert 0.5 <= float(row[6]) == face["confidence"] <= 1
        np.testing.assert_array_equal(np.array(row[7:-3], float).reshape(68, 2), face["keypoints"])
    marked = read_image(tmp_path / "marked" / "group.png.png")
    for face in result["faces"]:
        x, y, _, h = face["box"]
        assert (marked[y : y + h, x] != image[y : y + h, x]).any()
        x, y = np.rint(face["keypoints"][30]).astype(int)
        assert marked[y, x, 1] > 150  # a green point on the tip of the nose


def test_the_best_quality_moves_points_only(portrait, tmp_path, fkp):
    image, _ = portrait
    write_image(tmp_path / "a.png", image)
    for name in ("w.safetensors", "w-1.safetensors"):
        shutil.copy(SHIPPED_WEIGHTS, tmp_path / name)
    found = []
    for quality in ("fast", "best"):
        options = ("--weights", tmp_path / "w.safetensors", "--quality", quality, "--json", "-")
        ended = fkp("detect", tmp_path / "a.png", *options)
        assert ended.code == 0
        (result,) = json.loads(ended.out)
        found += result["faces"]
    fast, best = found
    assert (fast["box"], fast["confidence"]) == (best["box"], best["confidence"])
    assert fast["keypoints"] != best["keypoints"]
    np.testing.assert_allclose(fast["keypoints"], best["keypoints"], atol=0.1 * fast["box"][2])


def test_how_sure_faces_must_be(tmp_path, fkp):
    write_image(tmp_path / "group.png", group_picture()[0])

    def sure(*options):
        (result,) = json.loads(fkp("detect", tmp_path / "group.png", "--json", "-", *options).out)
        return [face["confidence"] for face in result["faces"]]

    everything, usual = sure("--min-confidence", 0), sure()
    assert [number for number in everything if number >= MIN_CONFIDENCE] == usual
    least = min(usual)
    assert least < max(usual)
    assert sure("--min-confidence", least + 0.001) == [number for number in usual if number > least + 0.001]
    help_text = " ".join(fkp("detect", "--help").out.replace("│", " ").split())
    assert f"[default: ({MIN_CONFIDENCE})]" in help_text
