"""What `one-point` prints, and the slopes that --nudge measures."""

import re

import numpy as np
import pytest

from numpynet.learn import one_point
from numpynet.learn.__main__ import main
from numpynet.learn.showing.one_point_printed import GRADIENTS, loss_with, place
from numpynet.learn.showing.text_grids import decimal


def printed(capsys, *arguments):
    assert main(["one-point", *arguments]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    return out


def test_it_prints_every_array_with_its_shape_and_its_numbers(capsys):
    out = printed(capsys)
    for name, array in one_point.tensors().items():
        assert f"{name} {array.shape}" in out, name
    before, _, _ = out.partition("ONE STEP")
    numbers = set(re.findall(r"-?\d+(?:\.\d+)?", before))
    for name, array in one_point.tensors().items():
        assert {decimal(value) for value in array.ravel()} <= numbers, name


def test_forward_comes_before_backward_and_the_step_last(capsys):
    out = printed(capsys)
    texts = ("FORWARD", " x (1,", " loss ()", "BACKWARD", " dout (1, 2)", " dx (1, 1, 5, 5)", "ONE STEP")
    places = [out.index(text) for text in texts]
    assert places == sorted(places)


def test_the_worked_sums_are_right(capsys):
    sums = re.findall(r"^  [\w.]+(?:\[[\d,]+\])? = ([^=]*[*+][^=]*) = (-?[\d.]+)", printed(capsys), re.MULTILINE)
    assert len(sums) == 6
    for expression, result in sums:
        assert re.fullmatch(r"[\d.+*()/ -]+", expression)
        assert eval(expression) == float(result)


def test_one_step_of_adam_lowers_the_loss(capsys):
    before, after = re.search(r"loss before ([\d.]+)   after ([\d.]+)", printed(capsys)).groups()
    assert (float(before), float(after)) == (0.625, 0.47832)


def test_nudging_any_number_gives_the_number_of_the_backward_pass():
    found = one_point.tensors()
    for name, gradient in GRADIENTS.items():
        for index in np.ndindex(found[name].shape):
            slope = (loss_with(name, index, 1e-4) - loss_with(name, index, -1e-4)) / 2e-4
            assert abs(slope - found[gradient][index]) < 1e-10, (name, index)


def test_a_nudge_is_printed_with_both_losses_and_both_slopes(capsys):
    lines = printed(capsys, "--nudge", "conv.weight[1,2]").splitlines()
    assert [float(line.split()[-1]) for line in lines[:5]] == [0.625, 0.627065141, 0.622940141, 2.0625, 2.0625]
    assert float(lines[5].split()[-1]) < 1e-10


def test_a_step_over_a_kink_is_explained(capsys):
    assert "reaches over a kink" in printed(capsys, "--nudge", "conv.bias[0]", "--step", "1")
    assert "reaches over a kink" not in printed(capsys, "--nudge", "conv.bias[0]")


def test_leading_axes_of_size_one_may_be_left_out():
    found = one_point.tensors()
    assert place("x[2,3]", found) == place("x[0, 0, 2, 3]", found) == ("x", (0, 0, 2, 3))
    assert place("conv.bias[0]", found) == ("conv.bias", (0,))
    assert place("out[1]", found) == ("out", (0, 1))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("conv.wieght[0,0]", "--nudge: there is no array 'conv.wieght' to nudge; did you mean conv.weight?"),
        ("zzz", "--nudge: there is no array 'zzz' to nudge; choose one of x, conv.weight, "),
        ("loss", "--nudge: there is no array 'loss' to nudge; "),
        ("x", "--nudge x: say which number of x (1, 1, 5, 5), such as 'x[0,0]'"),
        ("x[]", "--nudge x[]: say which number"),
        ("x[2,3", "--nudge x[2,3: say which number"),
        ("x[2 3,1]", "--nudge x[2 3,1]: say which number"),
        ("x[5,0]", "--nudge x[5,0]: x has the shape (1, 1, 5, 5), and its indices begin at 0; try 'x[0,0]'"),
        ("linear.weight[1]", "--nudge linear.weight[1]: linear.weight has the shape (2, 4)"),
        ("x[0,0,0,2,3]", "--nudge x[0,0,0,2,3]: x has the shape"),
        ("x[-1,0]", "--nudge x[-1,0]: say which number"),
    ],
)
def test_what_cannot_be_nudged_is_refused_in_one_line(asked, message, capsys):
    assert main(["one-point", "--nudge", asked]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"python -m numpynet.learn one-point: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("step", ["0", "-1", "1e-9", "nan", "11"])
def test_a_step_out_of_range_is_refused(step, capsys):
    assert main(["one-point", "--nudge", "x[0,0]", f"--step={step}"]) == 2
    assert "--step must be from 1e-6 to 10" in capsys.readouterr().err


def test_a_step_without_a_number_to_move_is_refused(capsys):
    assert main(["one-point", "--step", "0.1"]) == 2
    assert "--step is for --nudge; name the number that is to be moved" in capsys.readouterr().err
