"""Six layers as matrices, compared with PyTorch's Jacobians."""

import numpy as np
import pytest
import torch

from numpynet.learn import jacobian
from numpynet.learn.__main__ import main

LAYERS = jacobian.layers()


def positions(x):
    share = torch.softmax(x.flatten(), 0).reshape(3, 3)
    places = torch.tensor([-2 / 3, 0, 2 / 3], dtype=x.dtype)
    return torch.stack([share.sum(0) @ places, share.sum(1) @ places])


THEIRS = {
    "linear": lambda x: x @ torch.tensor([[1.0, 2, 3], [4, 5, 6]], dtype=x.dtype).T,
    "relu": torch.relu,
    "conv2d": lambda x: torch.nn.functional.conv2d(x, torch.tensor([[[[1.0, 2], [3, 4]]]], dtype=x.dtype)),
    "max_pool2d": lambda x: torch.nn.functional.max_pool2d(x, 2, 1),
    "batch_norm": lambda x: torch.nn.functional.batch_norm(
        x, None, None, torch.full((1,), 2.0, dtype=x.dtype), training=True
    ),
    "soft_argmax2d": positions,
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_matrix_is_pytorchs(name):
    rows, differences = jacobian.matrix(LAYERS[name])
    x = torch.tensor(LAYERS[name].x)
    theirs = torch.autograd.functional.jacobian(THEIRS[name], x).reshape(-1, x.numel())
    np.testing.assert_allclose(rows, theirs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(differences, theirs, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", LAYERS)
def test_it_is_printed_within_100_columns(name, capsys):
    assert main(["jacobian", name]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert "Largest difference from finite differences" in out


def test_what_the_sentences_say_is_so():
    found = {name: jacobian.matrix(layer)[0] for name, layer in LAYERS.items()}
    np.testing.assert_array_equal(found["linear"], LAYERS["linear"].constants["weight"])
    assert np.count_nonzero(found["relu"] - np.diag(np.diag(found["relu"]))) == 0
    middle = found["conv2d"][:, 5]
    assert middle[middle != 0].tolist() == [4, 3, 2, 1]  # read from top to bottom
    assert found["max_pool2d"].sum(axis=1).tolist() == [1, 1, 1, 1]
    assert found["max_pool2d"].sum(axis=0).max() == 2
    assert (found["batch_norm"] != 0).all()
    for name in ("batch_norm", "soft_argmax2d"):
        np.testing.assert_allclose(found[name].sum(axis=1), 0, atol=1e-12)


def test_a_wrong_backward_pass_is_reported_with_status_1(capsys, monkeypatch):
    wrong = LAYERS["relu"]._replace(backward=lambda dout, cache: dout)
    monkeypatch.setattr(jacobian, "layers", lambda: LAYERS | {"relu": wrong})
    assert main(["jacobian", "relu"]) == 1
    assert "Largest difference from finite differences: 1.0e+00" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "hint"), [("conv", "did you mean conv2d?"), ("zz", "choose one of linear, relu,")])
def test_an_unknown_layer_is_refused_with_the_nearest(name, hint, capsys):
    assert main(["jacobian", name]) == 2
    assert f"there is no layer {name!r}; {hint}" in capsys.readouterr().err
