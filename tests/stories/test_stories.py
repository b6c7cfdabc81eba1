"""The stories run from top to bottom and print what they say, on the demo photo and on real frames; and as notebooks.

A `python` block is code; the `text` block after it is what the code prints, where `...` stands for anything.
"""

import contextlib
import doctest
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

from tests.learn.pages.markdown import fences

STORIES = sorted((Path(__file__).parents[2] / "docs" / "stories").glob("*.md"))
WRITTEN = {
    "1-data": {"story-data/frames.png", "story-data/transforms.png"},
    "2-train": {"story-train/curve.png", "story-train/points.png", "story-train/weights.safetensors"},
    "3-photo-to-points": {"story-photo/steps.png", "story-photo/faces.png"},
    "4-fun": {"story-fun/worn.png", "story-fun/filters.png"},
}
"""What each story leaves in the reader's folder."""
COPIED = {"story-data/grace_hopper.jpg", "story-data/keypoints.csv"}
"""What the first story also leaves there if it must make its own data."""


def tell(text, file):
    """Run a story in the current folder. AssertionError where it prints something else than it says."""
    namespace = {"__name__": "__main__"}
    printed, line = "", 0
    for fence in fences(text):
        if fence.language == "python":
            assert not printed, f"{file}, line {line}: the story does not show what this block prints:\n{printed}"
            line = fence.line
            code = compile("\n" * line + fence.body, str(file), "exec")
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(code, namespace)
            printed = out.getvalue()
        elif fence.language == "text":
            same = doctest.OutputChecker().check_output(fence.body, printed, doctest.ELLIPSIS)
            assert same, f"{file}, line {line}: this block prints\n{printed}and the story says\n{fence.body}"
            printed = ""
        else:
            assert fence.language == "", f"{file}, line {fence.line}: not a block of a story"  # only to be read


def check(file, folder, may=frozenset()):
    """Run a story in `folder` and look at what it leaves there."""
    with contextlib.chdir(folder), threadpool_limits(1):  # which the second story sets, and would leave so
        tell(file.read_text("utf-8"), file)
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert WRITTEN[file.stem] <= left <= WRITTEN[file.stem] | may
    for name in left:
        if name.endswith(".png"):
            with Image.open(folder / name) as picture:
                assert np.unique(picture.convert("L").resize((64, 64))).size > 20, f"{name} is empty"


def test_there_are_four_stories():
    assert [file.stem for file in STORIES] == list(WRITTEN)


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.stem)
def test_a_story_runs_on_the_demo_photo(file, tmp_path, monkeypatch):
    monkeypatch.delenv("FKP_DATA", raising=False)
    check(file, tmp_path, COPIED)


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.stem)
def test_a_story_runs_on_real_frames(file, tmp_path, monkeypatch, real_data):
    monkeypatch.setenv("FKP_DATA", str(real_data))
    check(file, tmp_path)


@pytest.mark.parametrize(
    ("story", "wrong"),
    [
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "prints"),
        ("```python\nprint(1)\n```\n\n```python\na = 1\n```\n", "does not show"),
        ("```python\nassert 1 == 2, 'a claim'\n```\n", "a claim"),
        ("```sh\nls\n```\n", "not a block"),
    ],
)
def test_a_story_that_is_not_true_is_noticed(story, wrong):
    with pytest.raises(AssertionError, match=wrong):
        tell(story, "story.md")


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.stem)
def test_a_story_becomes_a_notebook_with_the_same_code(file, tmp_path):
    if importlib.util.find_spec("jupytext") is None:
        pytest.skip("jupytext is not installed (the extra `docs`)")
    import nbformat

    target = tmp_path / f"{file.stem}.ipynb"
    command = [sys.executable, "-m", "jupytext", "--to", "ipynb", "--output", str(target), str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    notebook = nbformat.read(target, as_version=4)
    nbformat.validate(notebook)
    code = [cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"]
    assert code == [fence.body.strip() for fence in fences(file.read_text("utf-8")) if fence.language == "python"]
