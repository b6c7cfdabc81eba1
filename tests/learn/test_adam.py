"""The steps of Adam that `adam` prints, compared with PyTorch's optimizers."""

import re

import numpy as np
import pytest
import torch

from numpynet.learn.__main__ import main
from numpynet.learn.showing import adam


def torch_path(make, steps):
    w = torch.tensor(adam.START, requires_grad=True)
    optimizer = make([w])
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        ((torch.tensor(adam.CURVATURE) * w**2).sum() / 2).backward()
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return path


@pytest.mark.parametrize(("lr", "eps"), [(0.1, 1e-8), (0.5, 1.0)])
def test_plain_adam_is_pytorchs(lr, eps):
    theirs = torch_path(lambda params: torch.optim.Adam(params, lr=lr, eps=eps), 10)
    for i in range(2):
        ours = [row.w for row in adam.plain_adam(adam.START[i], adam.CURVATURE[i], 10, lr, eps)]
        np.testing.assert_allclose(ours, [w[i] for w in theirs], rtol=0, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, adam.MOMENTUM])
def test_the_path_of_sgd_is_pytorchs(momentum):
    theirs = torch_path(lambda params: torch.optim.SGD(params, lr=0.1, momentum=momentum), 5)
    np.testing.assert_allclose(adam.real_sgd(5, 0.1, momentum), theirs, rtol=0, atol=1e-12)


def test_the_first_move_is_lr_against_the_sign_of_the_gradient():
    for curvature in (1e-3, 1.0, -1e4):
        first = adam.plain_adam(1.0, curvature, 1, 0.1, 1e-12)[0]
        assert abs(first.move + 0.1 * np.sign(first.g)) < 1e-9


def test_it_prints_three_steps_of_two_weights(capsys):
    assert main(["adam"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    rows = re.findall(r"^ +([123])((?: +-?[\d.e+-]+){7})$", out, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [1, 2, 3, 1, 2, 3]
    assert [float(number) for number in rows[0][1].split()] == [16, 1.6, 0.256, 16, 256, -0.1, 0.9]


def test_a_wrong_rule_is_reported_with_status_1(capsys, monkeypatch):
    monkeypatch.setattr(adam, "adam_update", lambda w, g, *rest: np.subtract(w, 0.1 * g, out=w))
    assert main(["adam"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lr", "0"], "--lr must be above 0 and at most 10, got 0"),
        (["--eps", "nan"], "--eps must be above 0 and at most 10, got nan"),
        (["--steps", "51"], "--steps must be from 1 to 50, got 51"),
    ],
)
def test_bad_options_are_refused_in_one_line(arguments, message, capsys):
    assert main(["adam", *arguments]) == 2
    assert capsys.readouterr().err == f"python -m numpynet.learn adam: {message}\n"


@pytest.mark.parametrize("lr", ["0.001", "10"])
def test_the_table_stays_within_100_columns_for_any_rate(lr, capsys):
    assert main(["adam", "--lr", lr, "--steps", "50"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100
