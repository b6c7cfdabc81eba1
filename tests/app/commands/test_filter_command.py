"""`fkp filter`: styles by name and by file, the list of styles, and the errors of bad ones."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fkp_app.media.images import read_image, write_image
from fkp_app.styles.library import load_style, names
from tests.free_pictures import hopper

MOUSTACHE = """
description = "A bar"
picture = "bar.png"
anchors = [
    { keypoints = [33], at = [50, 0] },
    { keypoints = [48], at = [0, 60] },
    { keypoints = [54], at = [100, 60] },
]
"""


@pytest.fixture
def photo(tmp_path):
    """Grace Hopper as a file."""
    write_image(tmp_path / "a.png", hopper())
    return tmp_path / "a.png"


@pytest.fixture
def own(tmp_path):
    """The user's own style: a red bar below the nose."""
    Image.new("RGBA", (100, 40), (255, 0, 0, 255)).save(tmp_path / "bar.png")
    (tmp_path / "bar.toml").write_text(MOUSTACHE)
    return tmp_path / "bar.toml"


def test_the_list_names_every_style(fkp):
    ended = fkp("filter", "--list")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert [line.split()[0] for line in lines] == list(names())
    assert len(lines) >= 5
    assert all(line.endswith(load_style(line.split()[0]).description) for line in lines)


def test_the_list_as_a_picture(tmp_path, fkp):
    assert fkp("filter", "--list", "--out", tmp_path / "all.png").code == 0
    sheet = read_image(tmp_path / "all.png")
    assert min(sheet.shape[:2]) > 400
    ended = fkp("filter", "--list", "--out", tmp_path)
    assert (ended.code, ended.out, ended.err) == (2, "", f"fkp: --out {tmp_path}: is a folder; name a file\n")


@pytest.mark.parametrize("style", names())
def test_every_style_changes_the_face_and_nothing_far_from_it(style, photo, tmp_path, fkp):
    assert fkp("filter", photo, "--out", tmp_path / "out", "--style", style).code == 0
    changed = (read_image(tmp_path / "out" / "a.png.png") != hopper()).any(axis=2)
    assert changed.mean() > 0.003
    assert not changed[350:].any()  # below her chin


def test_a_style_of_ones_own(photo, own, tmp_path, fkp):
    assert fkp("filter", photo, "--out", tmp_path / "out", "--style", own).code == 0
    red = (read_image(tmp_path / "out" / "a.png.png") == (255, 0, 0)).all(axis=2)
    rows, columns = np.nonzero(red)
    assert len(rows) > 300
    assert abs(columns.mean() - 268) < 12  # below the nose,
    assert 245 < rows.mean() < 280  # above the mouth


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[33]", "[68]"), "anchors[0].keypoints"),
        (('"bar.png"', '"gone.png"'), "gone.png: no such file"),
        (("picture", "pictures"), "pictures is not a known key"),
        (("anchors", "anchors ="), "cannot be read as TOML"),
    ],
)
def test_a_bad_style_is_one_line_and_nothing_is_made(change, words, photo, own, tmp_path, fkp):
    own.write_text(MOUSTACHE.replace(*change, 1))
    ended = fkp("filter", photo, "--out", tmp_path / "out", "--style", own)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"fkp: {tmp_path}/")
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_must_be_named(photo, fkp):
    assert "name a SOURCE" in fkp("filter").err
    ended = fkp("filter", photo)
    assert (ended.code, ended.err) == (
        2,
        "fkp: --out is missing: name a folder for the pictures (see fkp filter --help)\n",
    )


@pytest.mark.parametrize(("words", "expected"), [("fkp det", "detect"), ("fkp filter --sty", "--style")])
def test_shell_completion(words, expected):
    environment = os.environ | {
        **{"_FKP_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    }
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'fkp'; from fkp_app.cli import main; sys.exit(main())"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, [expected])
