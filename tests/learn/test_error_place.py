"""An error in a reader's file is shown with its line, and the shapes of the arrays on it."""

import pytest

from numpynet.learn.exercises import exercises, verdict_text
from numpynet.learn.exercises.judging_process import check_file

HEAD = "import numpy as np\n\n\ndef relu_backward(dout, cache):\n"


@pytest.fixture
def verdict_of(tmp_path):
    def verdict(text):
        path = tmp_path / "relu_backward.py"
        path.write_text(text, "utf-8")
        return check_file(exercises()["relu_backward"], path)

    return verdict


def test_an_error_is_shown_with_its_line_and_the_shapes_of_its_arrays(verdict_of):
    verdict = verdict_of(HEAD + "    return dout * cache.passed[0, :, :, :2]\n")
    assert verdict.problem.startswith("ValueError at line 5: operands could not be broadcast together")
    assert verdict.place == [
        "return dout * cache.passed[0, :, :, :2]",
        "with dout (1, 1, 3, 3) float64; cache.passed (1, 1, 3, 3) bool",
        "NumPy compares the sizes from the last axis on: two must be equal, unless one is 1 or missing.",
        "in the check: conv.out of the one-point net",
    ]
    printed = verdict_text.text(verdict)
    assert "      return dout * cache.passed[0, :, :, :2]\n      with dout (1, 1, 3, 3)" in printed


# The body from line 5 on, and the block without what follows the names: the source, and what the names were.
PLACES = {
    "a product": ("    return dout[0, 0] @ dout[0, 0, :2]\n", ["with dout (1, 1, 3, 3)"]),
    "an index": ("    for n in range(5):\n        row = dout[n]\n", ["row = dout[n]", "with dout (1, 1, 3, 3); n = 1"]),
    "a key": ("    kept = {'x_hat': dout}\n    kept['xhat']\n", ["with kept = a dict with the keys 'x_hat'"]),
    "a field": ("    return dout * cache.mask\n", ["with dout (1, 1, 3, 3); cache = ReLUCache(passed)"]),
    "None": ("    weight = None\n    return dout * weight.T\n", ["with dout (1, 1, 3, 3); weight = None"]),
    "in place": (
        "    dx = np.zeros(3, int)\n    dx += 0.5\n",
        ["dx += 0.5", "with dx (3,) int64", "An operation in place keeps the dtype of the array on its left"],
    ),
    "two lines": ("    return np.dot(\n        dout,\n        dout[:2, 0])\n", ["return np.dot(", "dout,"]),
    "a helper": ("    return half(dout)\ndef half(a):\n    return a[9]\n", ["return a[9]", "with a (1, 1, 3, 3)"]),
    "a loop in a line": ("    return [dout[0, k] for k in range(3)]\n", ["with dout (1, 1, 3, 3); k = 1"]),
    "deep in numpy": ("    return np.einsum('ij,jk', dout, dout)\n", ["return np.einsum('ij,jk', dout, dout)"]),
}


@pytest.mark.parametrize("where", PLACES)
def test_the_line_of_an_error(where, verdict_of):
    body, words = PLACES[where]
    verdict = verdict_of(HEAD + body)
    assert " at line " in verdict.problem
    for line in words:
        assert any(told.strip().startswith(line) for told in verdict.place), verdict


def test_an_error_at_import_is_shown_with_its_line(verdict_of):
    assert verdict_of("import numpy as np\na = np.ones((2, 3)) @ np.ones(2)\n").place[0].startswith("a = np.ones")


def test_a_file_may_import_another_one_of_its_folder(tmp_path):
    helper = tmp_path / "mine.py"
    helper.write_text("def keep(dout, passed):\n    return dout * passed\n", "utf-8")
    path = tmp_path / "relu_backward.py"
    path.write_text("from mine import keep\n" + HEAD + "    return keep(dout, cache.passed)\n", "utf-8")
    assert check_file(exercises()["relu_backward"], path).passed
    helper.write_text("def keep(dout, passed):\n    return dout * passed[:, :2]\n\n\n", "utf-8")
    path.write_text(path.read_text("utf-8").replace("cache.passed", "cache.passed[0, 0]"), "utf-8")
    verdict = check_file(exercises()["relu_backward"], path)
    assert verdict.problem.startswith("ValueError at line 2 of mine.py: operands could not be broadcast")
    assert verdict.place[:2] == ["return dout * passed[:, :2]", "with dout (1, 1, 3, 3) float64; passed (3, 3) bool"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine.py", "relu_backward.py"]
