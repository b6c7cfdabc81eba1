"""Sources and weights that are missing, damaged or something else: one line says so, and nothing is written."""

import os
import pickle

import pytest

from fkp_app.backends.predictor import SHIPPED_WEIGHTS
from fkp_app.media.images import write_image
from numpynet.checkpoint import load_weights, save_weights


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
