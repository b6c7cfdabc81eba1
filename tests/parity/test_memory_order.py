"""Parameters in any order of memory: optimizers move them, averages follow them, files keep them; beside PyTorch."""

import numpy as np
import pytest
import torch

from numpynet import (
    SGD,
    Adam,
    AdamW,
    BatchNorm2d,
    Conv2d,
    Linear,
    Parameter,
    ReLU,
    Sequential,
    WeightAverage,
    fuse,
    use,
)
from numpynet.blocks import BLOCK
from numpynet.checkpoint import load_tensors, save_tensors
from tests.parity.helper import seeded

LAYOUTS = {
    "transposed": lambda a: a.T.copy().T,
    "Fortran": np.asfortranarray,
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "every other column": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "rows backwards": lambda a: a[::-1].copy()[::-1],
    "everything backwards": lambda a: np.flip(np.flip(a).copy()),
    "inside of a larger one": lambda a: np.pad(a, 1)[tuple(slice(1, 1 + size) for size in a.shape)],
    "axes swapped": lambda a: np.swapaxes(np.swapaxes(a, 0, -1).copy(), 0, -1),
}
layouts = pytest.mark.parametrize("layout", LAYOUTS)
RULES = [
    (Adam, torch.optim.Adam, {"lr": 0.1, "weight_decay": 0.1}),
    (AdamW, torch.optim.AdamW, {"lr": 0.1}),
    (SGD, torch.optim.SGD, {"lr": 0.1}),
    (SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
]


def laid_out(array, layout):
    """An array with the same numbers in this order of memory."""
    other = LAYOUTS[layout](array)
    np.testing.assert_array_equal(other, array)
    return other


@layouts
@pytest.mark.parametrize("ops", ["readable", "fast"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule[0].__name__} {rule[2]}")
@pytest.mark.parametrize("shape", [(5, 3), (7, 1, 4), (3, BLOCK // 2 + 9)], ids=str)
def test_it_moves_as_pytorchs_does(shape, rule, ops, layout):
    """In place: the array that was made the parameter's data is the one that moves."""
    ours, theirs, options = rule
    rng = seeded(layout)
    start = rng.standard_normal(shape)
    array = laid_out(start, layout)
    parameter, tensor = Parameter(start.copy()), torch.tensor(start, requires_grad=True)
    parameter.data = array
    optimizer, twin = ours([parameter], **options), theirs([tensor], **options)
    with use(ops):
        for _ in range(3):
            grad = rng.standard_normal(shape)
            parameter.add_grad(grad)
            tensor.grad = torch.from_numpy(grad)
            optimizer.step()
            twin.step()
            optimizer.zero_grad()
    assert parameter.data is array
    np.testing.assert_allclose(array, tensor.detach().numpy(), rtol=1e-12, atol=1e-12)
    assert np.abs(array - start).min() > 0


@layouts
def test_a_gradient_in_another_order_is_read_rightly(layout):
    rng = seeded(layout)
    start, grad = rng.standard_normal((2, 6, 4))
    parameter, tensor = Parameter(start.copy()), torch.tensor(start, requires_grad=True)
    parameter.add_grad(laid_out(grad, layout))
    tensor.grad = torch.from_numpy(grad)
    Adam([parameter], lr=0.1).step()
    torch.optim.Adam([tensor], lr=0.1).step()
    np.testing.assert_allclose(parameter.data, tensor.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("ops", ["readable", "fast"])
@pytest.mark.parametrize("optimizer_of", [Adam, AdamW, lambda p, lr: SGD(p, lr, momentum=0.5)])
def test_a_gradient_kept_as_factors_moves_a_transposed_weight(optimizer_of, ops):
    rng = seeded("factors")
    start, x, dout = rng.standard_normal((1024, 1030)), rng.standard_normal((3, 1030)), rng.standard_normal((3, 1024))
    moved = []
    for array in (start.copy(), start.T.copy().T):
        layer = Linear(1030, 1024, rng=0).astype(np.float64)
        layer.weight.data = array
        with use(ops):
            optimizer = optimizer_of(layer.parameters(), lr=0.1)
            _, cache = layer.forward(x)
            layer.backward(dout, cache)
            optimizer.step()
        moved.append(array)
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-9, atol=1e-12)
    assert np.median(np.abs(moved[1] - start)) > 0.01


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,)], ids=str)
@pytest.mark.parametrize("ops", ["readable", "fast"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule[0].__name__} {rule[2]}")
def test_a_parameter_of_one_number_or_of_none(rule, ops, shape):
    ours, theirs, options = rule
    rng = seeded("small")
    start = np.asarray(rng.standard_normal(shape))
    parameter, tensor = Parameter(start.copy()), torch.tensor(start, requires_grad=True)
    optimizer, twin = ours([parameter], **options), theirs([tensor], **options)
    with use(ops):
        for _ in range(3):
            first, second = np.asarray(rng.standard_normal((2, *shape)))
            parameter.add_grad(first)
            parameter.add_grad(second)
            tensor.grad = torch.tensor(first + second)
            optimizer.step()
            twin.step()
            optimizer.zero_grad()
    assert parameter.data.shape == shape
    np.testing.assert_allclose(parameter.data, tensor.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("optimizer_of", [Adam, AdamW, SGD])
def test_a_read_only_parameter_is_refused_and_none_is_moved(optimizer_of):
    first, fixed = Parameter(np.ones(3)), Parameter(np.ones(2))
    fixed.data = np.broadcast_to(np.float64(1), (2,))
    optimizer = optimizer_of([first, fixed])
    for parameter in (first, fixed):
        parameter.add_grad(np.ones(parameter.data.shape))
    with pytest.raises(ValueError, match=rf"{optimizer_of.__name__}: parameter 1 is read-only"):
        optimizer.step()
    np.testing.assert_array_equal(first.data, 1)
    assert not optimizer.state_dict()
    fixed.zero_grad()
    optimizer.step()  # without a gradient it need not be moved
    assert (first.data < 1).all()


@layouts
def test_the_average_follows(layout):
    """The average of weights and of running statistics, beside the formula in PyTorch's AveragedModel."""
    rng = seeded(layout)
    net = Sequential(Conv2d(3, 4, (2, 3), rng=0), BatchNorm2d(4)).astype(np.float64)
    conv, bn = net.path()
    conv.weight.data = laid_out(conv.weight.data.copy(), layout)
    bn.running_mean = laid_out(bn.running_mean.copy(), layout)
    average = WeightAverage(net, 0.7, warmup=False)
    twin = torch.optim.swa_utils.get_ema_multi_avg_fn(0.7)
    wanted = None
    for _ in range(4):
        for array in (conv.weight.data, bn.running_mean):
            array += rng.standard_normal(array.shape)
        average.update()
        now = [torch.tensor(conv.weight.data.copy()), torch.tensor(bn.running_mean.copy())]
        if wanted is None:
            wanted = now
        else:
            twin(wanted, now, 1)
    state = average.net.state_dict()
    np.testing.assert_allclose(state["0.weight"], wanted[0].numpy(), rtol=1e-12)
    np.testing.assert_allclose(state["1.running_mean"], wanted[1].numpy(), rtol=1e-12)
    assert np.abs(state["0.weight"] - conv.weight.data).max() > 0.1


@layouts
def test_files_and_state_dicts_keep_the_numbers(layout, tmp_path):
    layer = Linear(5, 4, rng=0)
    start = layer.weight.data.copy()
    layer.weight.data = laid_out(start.copy(), layout)
    save_tensors(tmp_path / "layer.safetensors", layer.state_dict(), {})
    other = Linear(5, 4, rng=1)
    other.weight.data = laid_out(other.weight.data.copy(), layout)
    other.load_state_dict(load_tensors(tmp_path / "layer.safetensors")[0])
    np.testing.assert_array_equal(other.weight.data, start)


@layouts
@pytest.mark.parametrize("ops", ["readable", "fast"])
@pytest.mark.parametrize("fused", [False, True])
def test_a_network_learns_the_same_in_any_order(fused, ops, layout):
    def learn(change):
        layers = [Conv2d(1, 3, 3, padding=1, rng=0), BatchNorm2d(3), ReLU(), Conv2d(3, 2, (2, 3), rng=1)]
        net = Sequential(*layers).astype(np.float64)
        for layer in (layers[0], layers[3]):
            layer.weight.data = change(layer.weight.data)
        trained, optimizer, rng = fuse(net) if fused else net, Adam(net.parameters(), lr=0.01), seeded("net")
        with use(ops):
            for _ in range(3):
                out, cache = trained.forward(rng.standard_normal((4, 1, 6, 7)))
                trained.backward(out - rng.standard_normal(out.shape), cache)
                optimizer.step()
                optimizer.zero_grad()
        return net.state_dict()

    got, wanted = learn(lambda array: laid_out(array, layout)), learn(np.copy)
    for key in ("0.weight", "1.weight", "1.running_var", "3.weight", "3.bias"):
        np.testing.assert_allclose(got[key], wanted[key], rtol=1e-8, atol=1e-9, err_msg=key)
