"""What optimizers, schedules, averages and the data loader refuse: both sides, or numpynet alone."""

# mypy: disable-error-code="arg-type,call-overload,list-item"
# These tests pass arguments of wrong types on purpose.

import numpy as np
import pytest
import torch

from numpynet import (
    SGD,
    Adam,
    AdamW,
    Dropout,
    Linear,
    Parameter,
    WeightAverage,
)
from numpynet.data import DataLoader
from numpynet.dispatch import F
from numpynet.schedules import constant, cosine, one_cycle
from tests.parity.refused import INF, NAN, ONES, parameters, refuse


def torch_steps(rule, **options):
    """PyTorch checks some arguments only in the first step."""
    tensor = torch.ones(2, requires_grad=True)
    tensor.grad = torch.ones(2)
    rule([tensor], **options).step()


BOTH = {
    "Adam: lr NaN": (
        lambda: Adam(parameters(), lr=NAN),
        lambda: torch_steps(torch.optim.Adam, lr=NAN),
        "Adam: lr must be at least 0, got nan",
    ),
    "Adam: lr '0.1'": (
        lambda: Adam(parameters(), lr="0.1"),
        lambda: torch_steps(torch.optim.Adam, lr="0.1"),
        "Adam: lr must be a number",
    ),
    "Adam: betas of one number": (
        lambda: Adam(parameters(), betas=(0.9,)),
        lambda: torch_steps(torch.optim.Adam, betas=(0.9,)),
        "Adam: betas must be a pair",
    ),
    "Adam: betas NaN": (
        lambda: Adam(parameters(), betas=(0.9, NAN)),
        lambda: torch_steps(torch.optim.Adam, betas=(0.9, NAN)),
        "Adam: betas must lie in 0 .. 1",
    ),
    "Adam: betas -0.1": (
        lambda: Adam(parameters(), betas=(-0.1, 0.9)),
        lambda: torch_steps(torch.optim.Adam, betas=(-0.1, 0.9)),
        "Adam: betas must lie in 0 .. 1",
    ),
    "Adam: eps -1": (
        lambda: Adam(parameters(), eps=-1.0),
        lambda: torch_steps(torch.optim.Adam, eps=-1.0),
        "Adam: eps must be at least 0",
    ),
    "Adam: weight_decay -1": (
        lambda: Adam(parameters(), weight_decay=-1.0),
        lambda: torch_steps(torch.optim.Adam, weight_decay=-1.0),
        "Adam: weight_decay must be at least 0",
    ),
    "AdamW: weight_decay NaN": (
        lambda: AdamW(parameters(), weight_decay=NAN),
        lambda: torch_steps(torch.optim.AdamW, weight_decay=NAN),
        "AdamW: weight_decay must be at least 0",
    ),
    "SGD: momentum -0.5": (
        lambda: SGD(parameters(), momentum=-0.5),
        lambda: torch_steps(torch.optim.SGD, momentum=-0.5),
        "SGD: momentum must be at least 0",
    ),
    "SGD: weight_decay -1": (
        lambda: SGD(parameters(), weight_decay=-1),
        lambda: torch_steps(torch.optim.SGD, weight_decay=-1),
        "SGD: weight_decay must be at least 0",
    ),
    "SGD: nesterov without momentum": (
        lambda: SGD(parameters(), nesterov=True),
        lambda: torch_steps(torch.optim.SGD, nesterov=True),
        "SGD: nesterov needs a momentum",
    ),
    "SGD: nesterov with dampening": (
        lambda: SGD(parameters(), momentum=0.5, dampening=0.5, nesterov=True),
        lambda: torch_steps(torch.optim.SGD, momentum=0.5, dampening=0.5, nesterov=True),
        "SGD: nesterov needs a momentum",
    ),
    "SGD: no parameters": (lambda: SGD([]), lambda: torch.optim.SGD([]), "SGD: no parameters"),
    "SGD: arrays": (lambda: SGD([ONES]), lambda: torch.optim.SGD([ONES]), "SGD: parameter 0 must be a Parameter"),
    "SGD: a parameter alone": (
        lambda: SGD(Parameter(ONES)),
        lambda: torch.optim.SGD(torch.ones(3)),
        "SGD: params must be parameters, such as",
    ),
}
"""By name: numpynet's call, PyTorch's call, and what numpynet's message says."""

NUMPYNET_ALONE = {
    "sgd_update: grad broadcasts": (
        lambda: F.sgd_update(ONES.copy(), ONES[:1], None, 0.1, 0, 0, 0, False),
        r"sgd_update: grad must have shape \(3,\), got \(1,\)",
    ),
    "sgd_update: lr -1": (
        lambda: F.sgd_update(ONES.copy(), ONES, None, -1, 0, 0, 0, False),
        "sgd_update: lr must be at least 0",
    ),
    "Adam: lr inf": (lambda: Adam(parameters(), lr=INF), "Adam: lr must be finite"),
    "Adam: lr True": (lambda: Adam(parameters(), lr=True), "Adam: lr must be a number"),
    "Adam: lr set to NaN": (lambda: setattr(Adam(parameters()), "lr", NAN), "Adam: lr must be at least 0"),
    "Adam: eps inf": (lambda: Adam(parameters(), eps=INF), "Adam: eps must be finite"),
    "Adam: a network": (lambda: Adam(Linear(1, 1)), "Adam: params must be parameters, such as"),
    "SGD: dampening NaN": (lambda: SGD(parameters(), dampening=NAN), "SGD: dampening must be a number"),
    "constant: lr inf": (lambda: constant(INF), "constant: lr must be finite"),
    "one_cycle: steps 2.5": (lambda: one_cycle(1, 2.5), "one_cycle: steps must be an integer"),
    "one_cycle: steps True": (lambda: one_cycle(1, True), "one_cycle: steps must be an integer"),
    "one_cycle: div_factor NaN": (lambda: one_cycle(1, 9, div_factor=NAN), "one_cycle: div_factor must be"),
    "one_cycle: warmup '0.3'": (lambda: one_cycle(1, 9, "0.3"), "one_cycle: warmup must be a number"),
    "one_cycle: step -1": (lambda: one_cycle(1, 9)(-1), "step must be at least 0, got -1"),
    "cosine: steps -3": (lambda: cosine(1, -3), "cosine: steps must be at least 1"),
    "cosine: min_lr NaN": (lambda: cosine(1, 3, min_lr=NAN), "cosine: min_lr must be"),
    "WeightAverage: decay True": (lambda: WeightAverage(Linear(1, 1), True), "WeightAverage: decay must be a number"),
    "DataLoader: batch_size 2.5": (lambda: DataLoader([], 2.5), "DataLoader: batch_size must be an integer"),
    "DataLoader: prefetch -1": (lambda: DataLoader([], 2, prefetch=-1), "DataLoader: prefetch must be at least 0"),
}
"""By name: a call that PyTorch lets pass or does not have, and what the message says."""


@pytest.mark.parametrize("case", BOTH)
def test_refused_by_both(case):
    refuse(*BOTH[case])


@pytest.mark.parametrize("case", NUMPYNET_ALONE)
def test_refused_by_numpynet_alone(case):
    call, words = NUMPYNET_ALONE[case]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grad": ONES[:1]}, r"adam_update: grad must have shape \(3,\), got \(1,\)"),
        ({"exp_avg": np.ones(4, np.float32)}, r"adam_update: exp_avg must have shape \(3,\), got \(4,\)"),
        ({"exp_avg_sq": np.ones((1, 3), np.float32)}, "adam_update: exp_avg_sq must have shape"),
        ({"step": 0}, "adam_update: step must be at least 1, got 0"),
        ({"step": 1.5}, "adam_update: step must be an integer"),
        ({"lr": NAN}, "adam_update: lr must be"),
        ({"betas": (0.9, 1.0)}, "adam_update: betas must lie in 0 .. 1"),
        ({"betas": 0.9}, "adam_update: betas must be a pair"),
        ({"eps": -1}, "adam_update: eps must be at least 0"),
        ({"weight_decay": -1}, "adam_update: weight_decay must be at least 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_adam_update(changes, words):
    arrays = {name: ONES.copy() for name in ("param", "grad", "exp_avg", "exp_avg_sq")}
    rule = {"step": 1, "lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0}
    with pytest.raises(ValueError, match=words):
        F.adam_update(**(arrays | rule | changes))


@pytest.mark.parametrize("number", [np.float32(0.25), np.float64(0.25), 1, np.int64(1)], ids=type)
def test_numbers_of_any_kind_are_numbers(number):
    assert Adam(parameters(), lr=number).lr == number
    assert Dropout(number).p == number
    assert constant(number)(3) == number
