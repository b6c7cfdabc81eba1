"""What `check` prints of a function that is not right yet: a beginner's mistakes, most of them in conv2d_backward."""

import ast
import re

import pytest

from numpynet.learn.exercises import exercises, verdict_text
from numpynet.learn.exercises.judging_process import check_file
from numpynet.learn.exercises.starting_file import text_of
from tests.learn.pages.markdown import LEARN
from tests.learn.solved import solved

ZEROS = "np.zeros_like(cache.x), np.zeros_like(cache.weight), dout.sum((0, 2, 3)) if cache.has_bias else None"
EXCHANGED = ZEROS.replace(".x", ".y").replace(".weight", ".x").replace(".y", ".weight")


@pytest.fixture
def said(tmp_path):
    """What is said of an exercise's file: its lines, stripped."""

    def lines(name, text):
        path = tmp_path / f"{name}.py"
        path.write_text(text, "utf-8")
        return [line.strip() for line in verdict_text.text(check_file(exercises()[name], path)).splitlines()]

    return lines


def body(returns):
    return f"import numpy as np\n\n\ndef conv2d_backward(dout, cache):\n    return {returns}\n"


def changed(name, right, wrong):
    text = solved(exercises()[name])
    assert text.count(right) == 1
    return text.replace(right, wrong)


def test_each_result_of_a_wrong_case_is_listed(said):
    lines = said("conv2d_backward", body(ZEROS))
    where = lines.index("dx[0, 0, 1, 1]: yours 0, right 0.5625; 15 of 25 numbers are wrong")
    assert lines[where + 1] == "the others: dweight WRONG (9 of 9 numbers), dbias right"
    assert lines.count("the others: dweight WRONG (54 of 54 numbers), dbias right") == 1
    dweight = said("conv2d_backward", changed("conv2d_backward", "dfilters += dout[n]", "dfilters = dout[n]"))
    assert "the others: dx right, dbias right" in dweight


def test_values_that_follow_from_one_another_are_not_listed(said):
    lines = said("adam_update", changed("adam_update", "m_hat = m / (1 - beta1**step)", "m_hat = m"))
    assert "WRONG" in lines[1]
    assert not any(line.startswith("the others") for line in lines)


def test_results_in_exchanged_order(said):
    text = " ".join(said("conv2d_backward", body(EXCHANGED)))
    assert (
        "dx has shape (1, 1, 3, 3) and must have (1, 1, 5, 5); this is dweight's shape: the order is dx, dweight, dbias"
    ) in text
    other = " ".join(said("conv2d_backward", body(ZEROS.replace("cache.x", "cache.x[0]"))))
    assert "dx has shape (1, 5, 5) and must have (1, 1, 5, 5) the others" in other


def test_the_cases_before_an_error_are_printed(said):
    late = "    if not cache.has_bias:\n        dout[9]\n    return dx, dweight, dbias\n"
    lines = said("conv2d_backward", changed("conv2d_backward", "    return dx, dweight, dbias\n", late))
    assert [line.split()[-1] for line in lines[1:6]] == ["right"] * 5
    assert lines[6].startswith("IndexError at line ")
    assert lines[-1] == "in the check: hidden: kernel 2 x 3, padding 0 x 2, no bias"


def test_a_part_that_is_not_written_yet_comes_after_the_cases_that_are(said):
    late = "    if cache.stride != (1, 1):\n        raise NotImplementedError\n    return dx, dweight, dbias\n"
    lines = said("conv2d_backward", changed("conv2d_backward", "    return dx, dweight, dbias\n", late))
    assert [line.split()[-1] for line in lines[1:3]] == ["right"] * 2
    assert lines[3].startswith("NotImplementedError at line ")
    assert lines[-1] == "in the check: kernel 2, stride 3"


def test_a_product_with_exchanged_factors_is_refused_by_fold(said):
    lines = said("conv2d_backward", changed("conv2d_backward", "filters.T @ dout[n]", "dout[n].T @ filters"))
    assert any("fold: dunfolded must have shape (18, 16), got (16, 18)" in line for line in lines)


# A fold that fails for the two channels of the gradient check's example.
ONLY_ONE_CHANNEL = (
    "def fold(dunfolded, dimage, kernel, stride, dilation, out_size):\n    dunfolded[:9, :9].reshape(9, 9)\n"
)
WRITES_ONES = "    dimage += 1\n"


def test_an_error_in_the_gradient_check_keeps_the_first_wrong_number(said):
    lines = said("fold", ONLY_ONE_CHANNEL + WRITES_ONES)
    assert lines[1].split()[-1] == "WRONG"
    assert lines[2].startswith("dimage[0, 0, 1]: yours 1, right 2")
    assert lines[3].startswith("gradcheck: ValueError at line 2: cannot reshape array of size")
    assert "dunfolded[:9, :9].reshape(9, 9)" in lines
    assert "in the gradient check, which uses an example of its own" in lines


def test_an_error_in_the_gradient_check_alone_says_so(said):
    text = solved(exercises()["fold"])
    head = text.index("    dunfolded = ")
    lines = said(
        "fold", f"{text[:head]}    if len(dimage) == 2 and kernel == (2, 2):\n        dimage[9]\n{text[head:]}"
    )
    assert lines[1].startswith("IndexError at line ")
    assert lines[-1] == "in the gradient check, which uses an example of its own"


def test_relu_without_its_mask_is_told_of_a_mask_and_not_of_padding(said):
    lines = said("relu_backward", "def relu_backward(dout, cache):\n    return dout.copy()\n")
    assert "gradcheck: dx: not zero where it must be: a mask is missing" in lines
    assert not any("padding" in line for line in lines)


def test_the_first_step_in_the_file_is_that_of_the_page():
    page = (LEARN / "07-convolution-backward.md").read_text()
    (lines,) = re.findall(r"```python\n(simple = .*?)```", page, re.DOTALL)
    blank = ast.parse(text_of(exercises()["conv2d_backward"])).body[-1]
    assert isinstance(blank, ast.FunctionDef)
    first, _, code = ast.get_docstring(blank).split("\n\n")[-1].partition(":\n")
    assert "\n".join(line[4:] for line in code.splitlines()) == lines.strip()
    words = first.removeprefix("First step: ")
    assert f"{words[0].upper()}{words[1:]}:" in page
    assert "dout.sum(axis=(0, 2, 3)) if cache.has_bias else None" in lines
