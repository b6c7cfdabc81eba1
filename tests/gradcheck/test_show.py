"""`--show`: the example is printed, and the numbers printed for one element agree with each other and by hand."""

import re

import numpy as np
import pytest

from numpynet import functional as F
from numpynet.gradcheck.__main__ import main
from numpynet.gradcheck.cases import PROBLEMS
from numpynet.gradcheck.problem import Problem
from numpynet.gradcheck.show import SMALL, shown

NUMBER = r"([-+][\d.]+)"


def test_every_operation_can_be_shown():
    assert set(SMALL) == set(PROBLEMS) - {"conv_block"}  # four operations in a row: show each by itself


@pytest.mark.parametrize("case", list(SMALL))
def test_the_terms_add_up_to_both_values(case, capsys):
    assert main([case, "--show"]) == 0
    text = capsys.readouterr().out
    _, *elements = re.split(r"^d\w+\[", text, flags=re.MULTILINE)
    assert elements
    for element in elements:
        numeric, analytic, total = (
            float(re.search(pattern, element)[1])
            for pattern in (f"over 2h: {NUMBER}", f"returns {NUMBER}", f"their sum: {NUMBER}")
        )
        sum_in_numbers = element.split("in numbers")[1]
        terms = [float(term) for term in re.findall(rf" = {NUMBER}$", sum_in_numbers, re.MULTILINE)]
        terms += [float(rest) for rest in re.findall(rf"together {NUMBER}", sum_in_numbers)]
        assert "by the formula: " in element
        assert terms
        assert sum(terms) == pytest.approx(total, abs=2e-5)
        assert analytic == pytest.approx(total, abs=2e-5)
        assert numeric == pytest.approx(total, abs=2e-5)


def test_one_element_by_hand():
    """x moves two outputs: dx = 10 * 2 + 100 * -3."""
    weight = np.array([[2.0], [-3.0]])
    problem = Problem(lambda x: (x @ weight.T, None), lambda dout, cache: dout @ weight, {"x": np.array([[0.5]])})

    class Fixed:
        def standard_normal(self, shape):
            return np.array([[10.0, 100.0]])

    text = shown(problem, Fixed())
    assert "x (1, 1) =\n  [[0.5]]" in text
    assert "L = sum(dout * out) = -140.000000" in text
    assert "L(0.5 + h)  = -140.000280000000" in text
    assert "L(0.5 - h)  = -139.999720000000" in text
    assert "difference = -0.000560000000, over 2h: -280.000000" in text
    assert "dout[0, 0] +10.00 * +2.000000 = +20.000000" in text
    assert "dout[0, 1] +100.00 * -3.000000 = -300.000000" in text
    assert "their sum: -280.000000" in text


def test_the_wrong_element_is_the_one_shown(capsys, monkeypatch):
    right = F.linear_backward

    def wrong(dout, cache):
        dx, dweight, dbias = right(dout, cache)
        dweight[1, 2] += 1
        return dx, dweight, dbias

    monkeypatch.setattr(F, "linear_backward", wrong)
    assert main(["linear", "--show"]) == 1
    element = capsys.readouterr().out.split("\ndweight[")[1]
    assert element.startswith("1, 2]: move weight[1, 2]")
    numeric, analytic = (float(re.search(p, element)[1]) for p in (f"over 2h: {NUMBER}", f"returns {NUMBER}"))
    assert analytic - numeric == pytest.approx(1, abs=1e-5)


def test_sizes_that_are_given_are_kept(capsys):
    assert main(["conv2d", "--show", "--size", "9x3", "--kernel", "2x3"]) == 0
    text = capsys.readouterr().out
    assert "x (1, 1, 9, 3) =" in text
    assert "weight (1, 1, 2, 3) =" in text
    assert main(["conv2d", "--show", "--size", "9"]) == 0
    assert "x (1, 1, 9, 9): 81 numbers" in capsys.readouterr().out
