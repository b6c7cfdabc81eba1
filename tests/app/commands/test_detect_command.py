"""`fkp detect`, `fkp filter` and `fkp demo` on every kind of valid and of bad input."""

import csv
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fkp_app.backends.predictor import SHIPPED_WEIGHTS
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.media.images import read_image, write_image
from fkp_app.pipeline.results import CSV_COLUMNS
from numpynet.checkpoint import load_weights, save_weights
from tests.free_pictures import group_picture, hopper

EYES = ((226, 196), (308, 192))
"""Where Grace Hopper's are in the photo, read off by hand."""


@pytest.fixture(scope="module")
def portrait():
    """The head of Grace Hopper, RGB (300, 300, 3), and the positions of her eyes."""
    left, top = 115, 60
    return hopper()[top : top + 300, left : left + 300].copy(), np.array(EYES) - [left, top]


def test_a_cluster_without_dask_is_one_line(tmp_path, monkeypatch, fkp):
    monkeypatch.setitem(sys.modules, "distributed", None)
    write_image(tmp_path / "a.png", np.full((50, 40, 3), 90, np.uint8))
    ended = fkp("detect", tmp_path / "a.png", "--cluster", "local")
    assert (ended.code, ended.err) == (2, "fkp: --cluster needs Dask: pip install 'numpynet-fkp[cluster]'\n")


def one_face(report, points):
    """The JSON report names one image with one face whose eyes are at `points`."""
    (result,) = json.loads(report)
    (face,) = result["faces"]
    keypoints = np.array(face["keypoints"])
    assert keypoints.shape == (68, 2)
    found = np.stack([keypoints[36:42].mean(axis=0), keypoints[42:48].mean(axis=0)])
    distance = np.hypot(*(points[1] - points[0]))
    assert np.abs(found - points).max() < 0.2 * distance
    return result


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


def test_a_folder_with_bad_and_unlabelled_files_goes_on(portrait, tmp_path, fkp):
    folder = tmp_path / "photos"
    folder.mkdir()
    write_image(folder / "b.png", portrait[0])
    (folder / "a.jpg").write_bytes(b"")
    (folder / "c.jpg").write_bytes((folder / "b.png").read_bytes()[:5000])
    (folder / "notes.txt").write_text("not an image")
    (folder / "d.png").write_text("<html>")
    write_image(folder / "e.png", portrait[0])
    for command in ("detect", "filter"):
        out = tmp_path / command
        ended = fkp(command, folder, "--out", out)
        assert ended.code == 1
        errors = ended.err.splitlines()
        assert errors[0] == f"fkp: {folder}/a.jpg: is empty"
        assert errors[1].startswith(f"fkp: {folder}/c.jpg: is truncated or damaged (")
        assert errors[2] == f"fkp: {folder}/d.png: is not an image that can be read"
        assert len(errors) == 3
        *lines, summary = ended.out.splitlines()
        assert [line.partition(": ")[0] for line in lines] == [f"{folder}/b.png", f"{folder}/e.png"]
        assert summary.startswith("2 images, 2 faces; 3 sources failed; ")
        assert sorted(path.name for path in out.iterdir()) == ["b.png.png", "e.png.png"]


def spoil(kind, path, picture):
    """Write this kind of bad source to `path`."""
    if kind == "missing":
        return
    if kind == "folder":
        path.mkdir()
        (path / "notes.txt").write_text("words")
        return
    write_image(path, picture)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"words\n" * 90}.get(kind, whole))
    if kind == "unreadable":
        path.chmod(0)


SPOILT = {
    "missing": "no such file",
    "empty": "is empty",
    "truncated": "is truncated or damaged",
    "text": "is not an image",
    "folder": "holds no images or videos",
    "unreadable": "permission denied",
}


@pytest.mark.parametrize("command", ["detect", "filter"])
@pytest.mark.parametrize("kind", SPOILT)
def test_a_bad_source_is_one_line(kind, command, portrait, tmp_path, fkp):
    path = tmp_path / "source.png"
    spoil(kind, path, portrait[0])
    if kind == "unreadable" and os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    options = ("--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv") if command == "detect" else ()
    ended = fkp(command, path, "--out", tmp_path / "out", *options)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"fkp: {path}: ")
    assert SPOILT[kind] in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "a.json").exists()
    assert not (tmp_path / "a.csv").exists()
    assert not list((tmp_path / "out").iterdir())


class Trap:
    """Writes a file if it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def weights(kind, path):
    """Write this kind of bad weights to `path`."""
    whole = SHIPPED_WEIGHTS.read_bytes()
    contents = {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "html": b"\n<!DOCTYPE html><html><title>Sign in</title></html>",
        "pickle": pickle.dumps(Trap(path.with_name("trapped"))),
        "text": b"these are no weights, but some words\n",
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "folder":
        path.mkdir()
    elif kind == "another shape":
        state, card = load_weights(SHIPPED_WEIGHTS)
        save_weights(path, state | {"head.weight": state["head.weight"][:, 1:]}, card)


BAD_WEIGHTS = {
    "missing": "no such file",
    "empty": "is empty; get the file again",
    "truncated": "is truncated",
    "html": "is an HTML page, not weights; download the file itself",
    "pickle": "is a pickle, which may run any code and is never opened here; save it as .safetensors",
    "text": "is not a .safetensors file",
    "folder": "is a directory, not a file; name a .safetensors file",
    "another shape": "head.weight",
}


@pytest.mark.parametrize("backend", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
@pytest.mark.parametrize("command", ["detect", "filter", "evaluate"])
@pytest.mark.parametrize("kind", BAD_WEIGHTS)
def test_bad_weights_are_one_line(kind, command, backend, portrait, drawn_data, tmp_path, fkp):
    path = tmp_path / "weights.safetensors"
    weights(kind, path)
    write_image(tmp_path / "a.png", portrait[0])
    arguments = {
        "detect": [tmp_path / "a.png", "--json", tmp_path / "a.json"],
        "filter": [tmp_path / "a.png", "--out", tmp_path / "out"],
        "evaluate": ["--data", drawn_data, "--split", "test", "--json", tmp_path / "a.json"],
    }[command]
    ended = fkp(command, *arguments, "--weights", path, "--backend", backend)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"fkp: {path}: ")
    assert BAD_WEIGHTS[kind] in ended.err
    assert ended.err.count("\n") == 1
    assert not any((tmp_path / name).exists() for name in ("a.json", "out", "trapped"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["detect"], "Missing argument 'SOURCE"),
        (["detect", "a.png", "--backend", "jax"], "--backend must be one of numpy, torch, onnx, got jax"),
        (["detect", "a.png", "--threads", "0"], "Invalid value for '--threads': must be at least 1, got 0"),
        (["detect", "a.png", "--threads", "two"], "--threads"),
        (
            ["detect", "a.png", "--min-confidence", "1.5"],
            "Invalid value for '--min-confidence': must be between 0 and 1, got 1.5",
        ),
        (
            ["detect", "a.png", "--min-confidence", "nan"],
            "Invalid value for '--min-confidence': must be between 0 and 1, got nan",
        ),
        (["detect", "a.png", "--quality", "good"], "Invalid value for '--quality': must be fast or best, got good"),
        (["detect", "a.png", "--json", "-", "--csv", "-"], "cannot both write to standard output"),
        (["detect", "a.png", "--json", "nowhere/a.json"], "--json nowhere/a.json: there is no folder nowhere"),
        (["detect", "a.png", "--csv", "."], "--csv .: is a folder; name a file"),
        (["detect", "--json", "a.png", "a.png"], "--json a.png: is an image or a video, which is not written over"),
        (["detect", "--csv", "a.png", "b.png"], "--csv a.png: is an image or a video, which is not written over"),
        (["detect", "a.png", "--json", "b", "--csv", "./b"], "--json and --csv name one file, b; give each its own"),
        (["detect", "a.png", "--colour", "red"], "--colour"),
        (["filter", "a.png"], "--out"),
        (["filter", "a.png", "--out", "out", "--style", "hat"], "--style must be one of sunglasses, aviator, "),
        (["demo", "--backend", "jax"], "--backend must be one of numpy, torch, onnx, got jax"),
        (["dance"], "dance"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, words, portrait, tmp_path, monkeypatch, fkp):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png", portrait[0])
    ended = fkp(*arguments)
    assert ended.code == 2
    assert ended.err.startswith("fkp: ")
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("command", ["detect", "filter", "demo"])
def test_an_output_folder_that_cannot_be_written(command, portrait, tmp_path, monkeypatch, fkp):
    write_image(tmp_path / "a.png", portrait[0])
    source = [] if command == "demo" else [tmp_path / "a.png"]
    (tmp_path / "file").write_text("kept")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        ended = fkp(command, *source, "--out", out)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == f"fkp: --out {out}: is a file or lies in one; name a folder\n"
    assert (tmp_path / "file").read_text() == "kept"
    # Permissions do not stop the superuser, so the system's error is imitated.
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(
        "fkp_app.pipeline.outputs.os", SimpleNamespace(access=lambda *_: False, W_OK=os.W_OK, X_OK=os.X_OK)
    )
    ended = fkp(command, *source, "--out", tmp_path / "locked")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"fkp: --out {tmp_path / 'locked'}: cannot be written to; choose another place\n"


def test_a_read_only_folder_for_a_common_user(portrait, tmp_path, fkp):
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    write_image(tmp_path / "a.png", portrait[0])
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "cannot be written to" in fkp("detect", tmp_path / "a.png", "--out", locked).err


def test_sources_are_never_overwritten(portrait, tmp_path, fkp):
    """Pictures beside the sources, names that collide, and the same command twice."""
    (tmp_path / "other").mkdir()
    for name in ("a.png", "a.jpg", "a.png.png", "other/a.png"):
        write_image(tmp_path / name, portrait[0])
    sources = [tmp_path / name for name in ("a.png", "a.jpg", "a.png.png", "other/a.png")]
    before = [path.read_bytes() for path in sources]
    for _ in range(2):
        ended = fkp("filter", *sources, "--out", tmp_path)
        assert ended.code == 0
        assert [path.read_bytes() for path in sources] == before
        written = [line.rpartition(" -> ")[2] for line in ended.out.splitlines()[:-1]]
        assert len(set(written)) == 4
        assert not set(written) & {str(path) for path in sources}


@pytest.mark.torch
def test_torch_that_is_not_there(portrait, tmp_path, monkeypatch, fkp):
    """As if PyTorch were not installed; test_imports.py tests that no other backend needs it."""
    write_image(tmp_path / "a.png", portrait[0])
    for name in [name for name in sys.modules if name.partition(".")[0] in ("torch", "reference")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    ended = fkp("detect", tmp_path / "a.png", "--backend", "torch")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "fkp: --backend torch needs PyTorch: pip install 'numpynet-fkp[torch]'\n"


@pytest.mark.parametrize("backend", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
def test_the_demo(backend, tmp_path, fkp):
    ended = fkp("demo", "--backend", backend, "--out", tmp_path / "demo")
    assert (ended.code, ended.err) == (0, "")
    assert "grace_hopper.jpg: 1 face found" in ended.out
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "faces.json",
        "keypoints.png",
        "sunglasses.png",
    ]
    one_face((tmp_path / "demo" / "faces.json").read_text(), np.array(EYES))
    worn = read_image(tmp_path / "demo" / "sunglasses.png")
    for x, y in EYES:
        assert worn[y, x].max() < 110
    assert (read_image(tmp_path / "demo" / "keypoints.png") != hopper()).any(axis=2).mean() > 0.005


def test_a_demo_without_its_photo(tmp_path, monkeypatch, fkp):
    monkeypatch.setattr("fkp_app.commands.demo.PHOTO", ("no_such_package", "photo.jpg"))
    ended = fkp("demo", "--out", tmp_path / "demo")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("fkp: the demo's photo is missing: pip install matplotlib")
    assert not (tmp_path / "demo").exists()


COMMANDS = ("demo", "detect", "filter", "web", "export", "doctor", "train", "evaluate", "data", "data download")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_and_version(command, fkp):
    ended = fkp(*command.split(), "--help")
    assert ended.code == 0
    assert "Usage: " in ended.out
    assert len(ended.out.splitlines()) > 8
    assert fkp("--version").out.startswith("fkp 0.")


def test_a_closed_pipe_on_stdout_prints_nothing(portrait, tmp_path):
    write_image(tmp_path / "a.png", portrait[0])
    command = [sys.executable, "-m", "fkp_app", "detect", tmp_path / "a.png", "--json", "-"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait() == 1


def test_an_unknown_implementation_in_the_environment_is_one_line(tmp_path):
    command = [sys.executable, "-m", "fkp_app", "demo", "--out", tmp_path / "demo"]
    environment = os.environ | {"NUMPYNET_OPS": "slow"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == "fkp: NUMPYNET_OPS: choose one of 'readable', 'fast', got 'slow'\n"
