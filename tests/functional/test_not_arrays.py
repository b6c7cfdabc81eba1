"""Lists, matrices, masked arrays and other kinds of arrays are refused by name, in readable and fast functions."""

import numpy as np
import pytest

from numpynet import BatchNorm1d, Conv2d, Linear, MSELoss, Parameter, ReLU, Sequential, WingLoss, functional, kernels

TWO = np.ones((2, 2))
IMAGES = np.ones((2, 1, 2, 2))
STRANGE = {
    "list": [[1.0, 2.0], [3.0, 4.0]],
    "NoneType": None,
    "str": "x",
    "matrix": np.asmatrix(TWO),
    "MaskedArray": np.ma.masked_array(TWO, TWO == 0),
    "object": TWO.astype(object),
    "complex128": TWO.astype(complex),
}
CALLS = {
    "linear: x": lambda F, a: F.linear(a, TWO),
    "linear: weight": lambda F, a: F.linear(TWO, a),
    "conv2d: x": lambda F, a: F.conv2d(a, IMAGES),
    "conv2d: weight": lambda F, a: F.conv2d(IMAGES, a),
    "batch_norm: x": lambda F, a: F.batch_norm(a),
    "max_pool2d: x": lambda F, a: F.max_pool2d(a, 2),
    "avg_pool2d: x": lambda F, a: F.avg_pool2d(a, 2),
    "avg_pool2d_backward: dout": lambda F, a: F.avg_pool2d_backward(a, F.avg_pool2d(IMAGES, 1)[1]),
    "soft_argmax2d: x": lambda F, a: F.soft_argmax2d(a),
    "dropout: x": lambda F, a: F.dropout(a),
    "relu: x": lambda F, a: F.relu(a),
    "mse_loss: x": lambda F, a: F.mse_loss(a, TWO),
    "mse_loss: target": lambda F, a: F.mse_loss(TWO, a),
    "smooth_l1_loss: target": lambda F, a: F.smooth_l1_loss(TWO, a),
    "wing_loss: target": lambda F, a: F.wing_loss(TWO, a),
    "focal_loss: x": lambda F, a: F.focal_loss(a, TWO),
    "focal_loss: target": lambda F, a: F.focal_loss(TWO, a),
    "linear_backward: dout": lambda F, a: F.linear_backward(a, F.linear(TWO, TWO)[1]),
    "relu_backward: dout": lambda F, a: F.relu_backward(a, F.relu(TWO)[1]),
    "dropout_backward: dout": lambda F, a: F.dropout_backward(a, F.dropout(TWO)[1]),
    "sgd_update: grad": lambda F, a: F.sgd_update(TWO.copy(), a, None, 0.1, 0.9, 0, 0, False),
    "adam_update: grad": lambda F, a: F.adam_update(TWO.copy(), a, 0 * TWO, 0 * TWO, 1, 0.1, (0.9, 0.9), 1e-8, 0),
}


@pytest.mark.parametrize("module", [functional, kernels])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", STRANGE)
def test_an_argument_that_is_no_array_of_numbers_is_named(module, call, kind):
    with pytest.raises(ValueError, match=f"^{call} must be an array of .* numbers, got {kind}$"):
        CALLS[call](module, STRANGE[kind])


@pytest.mark.parametrize("module", [functional, kernels])
@pytest.mark.parametrize("name", ["flatten", "upsample_nearest2d"])
@pytest.mark.parametrize("kind", STRANGE)
def test_what_only_moves_numbers_takes_complex_ones_too(module, name, kind):
    if kind == "complex128":
        assert getattr(module, name)(IMAGES.astype(complex))[0].dtype == complex
        return
    with pytest.raises(ValueError, match=f"^{name}: x must be an array of numbers, got {kind}$"):
        getattr(module, name)(STRANGE[kind])


@pytest.mark.parametrize("module", [functional, kernels])
def test_a_list_for_an_optional_argument_is_named(module):
    with pytest.raises(ValueError, match="linear: bias must be an array"):
        module.linear(TWO, TWO, [1.0, 1.0])
    with pytest.raises(ValueError, match="focal_loss: weight must be an array"):
        module.focal_loss(TWO, TWO, [1.0, 1.0])
    with pytest.raises(ValueError, match="batch_norm: weight must be an array"):
        module.batch_norm(TWO, [1.0, 1.0])
    with pytest.raises(ValueError, match=r"dropout: mask must have x's shape \(2, 2\) and be bool, got list"):
        module.dropout(TWO, mask=[[True, True], [True, True]])


@pytest.mark.parametrize("layer", [Linear(2, 2), Conv2d(1, 1, 1), BatchNorm1d(2)])
def test_a_layer_in_a_network_is_named(layer):
    with pytest.raises(ValueError, match=r"^\w+: x must be an array .*, got NoneType"):
        layer(None)
    with pytest.raises(ValueError, match=rf"^{type(layer).__name__}\(.*\): \w+: x must be an array .*, got NoneType"):
        Sequential(layer)(None)


def test_integers_may_be_targets_and_go_through_a_relu():
    assert MSELoss()(TWO, np.zeros((2, 2), int))[0] == 1
    assert WingLoss()(TWO, np.ones((2, 2), np.uint8))[0] == 0
    np.testing.assert_array_equal(ReLU()(np.array([-1, 2])), [0, 2])


@pytest.mark.parametrize("module", [functional, kernels])
@pytest.mark.parametrize("loss", ["mse_loss", "smooth_l1_loss", "wing_loss", "focal_loss"])
def test_dloss_is_one_number(module, loss):
    cache = getattr(module, loss)(TWO, 0 * TWO)[1]
    with pytest.raises(ValueError, match=rf"{loss}_backward: dloss must be one number, got shape \(2, 2\)"):
        getattr(module, f"{loss}_backward")(TWO, cache)
    getattr(module, f"{loss}_backward")(np.float32(2), cache)


def test_a_parameter_refuses_a_masked_array_and_a_matrix():
    for kind in ("matrix", "MaskedArray"):
        with pytest.raises(ValueError, match=f"Parameter: data must be an array .*, got {kind}"):
            Parameter(STRANGE[kind])
        with pytest.raises(ValueError, match=f"the gradient must be .*, got {kind}"):
            Parameter(TWO).add_grad(STRANGE[kind])
