"""Every readable and fast function with one spoiled argument at a time: the same result, or the same error.

Compiled loops do not check their indices. A kernel must refuse arrays that do not fit before its loops start.
"""

import importlib

import numpy as np
import pytest

from numpynet import functional, kernels
from numpynet.kernels.made_for import compiled
from numpynet.kernels.norm_relu import Norm
from tests.kernels.spoiling import DTYPES, ORDERS, SHAPES, agree, modules, numbers, outcome, plain


@pytest.fixture(autouse=True)
def small_linears_are_streamed(monkeypatch):
    monkeypatch.setattr(importlib.import_module("numpynet.kernels.linear"), "LEAST", 1)


X, WEIGHT, FOUR, TWO = numbers(3, 2, 6, 5), numbers(4, 2, 3, 3), numbers(4), numbers(2)
BLOCK = {"x": X, "weight": WEIGHT, "bias": FOUR, "scale": FOUR + 1, "shift": FOUR - 2}
FORWARD = {
    "conv2d": ({"x": X, "weight": WEIGHT, "bias": FOUR}, {"stride": (1, 2), "padding": 1}),
    "conv_block": (BLOCK, {"padding": 1}),
    "conv_block, no pool": (BLOCK, {"pool": False}),
    "conv_block, given": ({**BLOCK, "mean": FOUR - 1, "var": FOUR}, {}),
    "conv_block, given, no pool": ({**BLOCK, "mean": FOUR - 1, "var": FOUR}, {"pool": False}),
    "batch_norm": ({"x": X, "weight": TWO, "bias": TWO - 2}, {}),
    "batch_norm, given": ({"x": X, "weight": TWO, "bias": TWO - 2, "mean": TWO - 1, "var": TWO}, {}),
    "linear": ({"x": numbers(3, 7), "weight": numbers(5, 7), "bias": numbers(5)}, {}),
    "relu": ({"x": X - 1}, {}),
    "max_pool2d": ({"x": X}, {"kernel_size": 2}),
    "max_pool2d, overlapping": ({"x": X}, {"kernel_size": 3, "stride": 1}),
    "avg_pool2d": ({"x": X}, {"kernel_size": 3, "stride": 2, "padding": 1}),
    "upsample_nearest2d": ({"x": X}, {}),
    "soft_argmax2d": ({"x": X}, {}),
    "flatten": ({"x": X}, {}),
    "dropout": ({"x": X}, {"p": 0.3, "rng": 0}),
    "mse_loss": ({"x": X, "target": X + 1}, {}),
    "smooth_l1_loss": ({"x": X, "target": numbers(*X.shape, seed=1)}, {}),
    "smooth_l1_loss, absolute": ({"x": X, "target": numbers(*X.shape, seed=1)}, {"beta": 0.0}),
    "wing_loss": ({"x": X, "target": numbers(*X.shape, seed=1)}, {}),
    "focal_loss": ({"x": X, "target": (X > 0).astype(X.dtype)}, {}),
}
OPERATIONS = {name.removesuffix("_backward") for name in functional.__all__ if name.endswith("_backward")}
BACKWARD = [name for name in FORWARD if "loss" not in name]


def forward(module, name, arrays, options):
    return getattr(module, name.partition(",")[0])(**arrays, **options)


def spoilt(name, argument, spoil):
    """The forward arguments, one of them spoiled."""
    arrays, options = FORWARD[name]
    return {**arrays, argument: spoil(arrays[argument])}, options


ARGUMENTS = [(name, argument) for name, (arrays, _) in FORWARD.items() for argument in arrays]
forwards = pytest.mark.parametrize(("name", "argument"), ARGUMENTS, ids=str)


def test_every_operation_is_spoiled():
    assert {name.partition(",")[0] for name in FORWARD} == OPERATIONS


@pytest.mark.parametrize("spoil", SHAPES.values(), ids=SHAPES)
@forwards
def test_forward_with_an_argument_of_another_shape(name, argument, spoil):
    arrays, options = spoilt(name, argument, spoil)
    got, expected = (outcome(lambda f=f: forward(f, name, arrays, options)[0]) for f in (kernels, functional))
    agree(got, expected)
    if isinstance(got, str):
        assert got.startswith(tuple(f"{n}: " for n in (name.partition(",")[0], "conv2d", "batch_norm", "max_pool2d")))
    else:  # Nothing may be broadcast. Only x may have another number of images, pixels or features.
        assert (
            argument == "x"
            or (name, argument) in {("conv2d", "weight"), ("linear", "weight")}
            or (argument == "weight" and "conv" in name)
        )


@pytest.mark.parametrize("spoil", ORDERS.values(), ids=ORDERS)
@forwards
def test_an_argument_in_another_order_gives_what_a_contiguous_copy_does(name, argument, spoil):
    arrays, options = spoilt(name, argument, spoil)
    copies = {name: array.copy(order="C") for name, array in arrays.items()}
    results = []
    for module in (kernels, functional):
        out, cache = forward(module, name, arrays, options)
        dout = 1.0 if out.ndim == 0 else numbers(*out.shape, seed=3)
        results.append(plain(out) + plain(getattr(module, name.partition(",")[0] + "_backward")(dout, cache)))
    agree(results[0], results[1])
    agree(results[0][:1], plain(forward(functional, name, copies, options)[0]))
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, copies[key])


@pytest.mark.parametrize("dtype", DTYPES)
@forwards
def test_forward_with_an_argument_of_another_dtype(name, argument, dtype):
    arrays, options = spoilt(name, argument, lambda a: a.astype(dtype))
    got, expected = (outcome(lambda f=f: forward(f, name, arrays, options)[0]) for f in (kernels, functional))
    agree(got, expected, np.float16 if dtype == "f2" else np.float32)
    if dtype == ">f4":
        arrays, options = FORWARD[name]
        agree(got, outcome(lambda: forward(functional, name, arrays, options)[0]))


@pytest.mark.parametrize("dtype", [">f4", ">f8", "f2", "f8", "g"])
@pytest.mark.parametrize("name", FORWARD)
def test_all_arguments_of_another_dtype(name, dtype):
    """Forward and backward: the readable function computes dtypes that the loops do not support."""
    arrays, options = FORWARD[name]
    arrays = {key: array.astype(dtype) for key, array in arrays.items()}
    results = []
    for module in (kernels, functional):
        out, cache = forward(module, name, arrays, options)
        assert out.dtype == np.dtype(dtype).newbyteorder("=") or out.dtype == np.dtype(dtype)
        dout = 1.0 if out.ndim == 0 else numbers(*out.shape, seed=3).astype(dtype)
        results.append(plain(out) + plain(getattr(module, name.partition(",")[0] + "_backward")(dout, cache)))
    agree(*results, np.float16 if dtype == "f2" else np.float32)


@modules
@pytest.mark.parametrize("spoil", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", BACKWARD)
def test_backward_refuses_a_dout_of_another_shape(name, spoil, module):
    out, cache = forward(module, name, *FORWARD[name])
    backward = name.partition(",")[0] + "_backward"
    dout = spoil(numbers(*out.shape, seed=3))
    with pytest.raises(ValueError, match=rf"^{backward}: dout must have the output's shape") as error:
        getattr(module, backward)(dout, cache)
    assert str(out.shape) in str(error.value)
    assert str(dout.shape) in str(error.value)


@pytest.mark.parametrize("spoil", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("name", BACKWARD)
def test_a_dout_in_another_order_gives_what_a_contiguous_copy_does(name, spoil):
    backward, results = name.partition(",")[0] + "_backward", []
    for module, change in ((kernels, spoil), (functional, spoil), (functional, np.copy)):
        out, cache = forward(module, name, *FORWARD[name])
        results.append(plain(getattr(module, backward)(change(numbers(*out.shape, seed=3)), cache)))
    agree(results[0], results[2])
    agree(results[1], results[2])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BACKWARD)
def test_backward_with_a_dout_of_another_dtype(name, dtype):
    backward, results = name.partition(",")[0] + "_backward", []
    for module in (kernels, functional):
        out, cache = forward(module, name, *FORWARD[name])
        dout = numbers(*out.shape, seed=3).astype(dtype)
        results.append(outcome(lambda m=module, d=dout, c=cache: getattr(m, backward)(d, c)))
    agree(*results, np.float16 if dtype == "f2" else np.float32)
    assert isinstance(results[0], str) == (np.dtype(dtype).kind != "f")
    if isinstance(results[0], str):
        assert results[0] == f"{backward}: dout must be an array of floating-point numbers, got {np.dtype(dtype)}"


@modules
def test_backward_refuses_a_dout_that_is_no_array(module):
    out, cache = module.relu(X)
    with pytest.raises(ValueError, match="relu_backward: dout must be an array of floating-point numbers, got list"):
        module.relu_backward(out.tolist(), cache)


@modules
@pytest.mark.parametrize("other", ["conv2d", "linear", "relu", "batch_norm", "mse_loss", None])
@pytest.mark.parametrize("name", FORWARD)
def test_backward_refuses_the_cache_of_another_function(name, other, module):
    name = name.partition(",")[0]
    if name == other:
        pytest.skip("a cache of its own function fits")
    out, _ = forward(module, name, *FORWARD[name])
    cache = None if other is None else forward(module, other, *FORWARD[other])[1]
    with pytest.raises(
        TypeError, match=rf"^{name}_backward: cache must be what {name} gave .* got {type(cache).__name__}"
    ):
        getattr(module, f"{name}_backward")(out, cache)


def test_a_readable_function_refuses_a_kernels_cache():
    for name in ("relu", "batch_norm", "max_pool2d", "conv_block"):
        out, cache = forward(kernels, name, *FORWARD[name])
        with pytest.raises(TypeError, match=f"{name}_backward: cache must be what {name} gave .*, got .* fast kernels"):
            getattr(functional, f"{name}_backward")(out, cache)


@pytest.mark.parametrize(
    ("name", "field"),
    [("batch_norm", f) for f in ("inv_std", "weight", "mean")]
    + [("conv_block", f) for f in ("pixels", "weight", "convolved", *Norm._fields)],
)
def test_backward_refuses_a_cache_whose_arrays_do_not_fit(name, field):
    out, cache = forward(kernels, name, *FORWARD[name])
    if name == "conv_block" and field in Norm._fields:
        spoilt = cache._replace(norm=cache.norm._replace(**{field: getattr(cache.norm, field)[:-1]}))
    else:
        spoilt = cache._replace(**{field: getattr(cache, field)[:-1]})
    with pytest.raises(ValueError, match=rf"^{name}_backward: \w+ must have .*shape \("):
        getattr(kernels, f"{name}_backward")(out, spoilt)


@pytest.mark.parametrize("field", ["pixels", "weight"])
def test_backward_refuses_a_cache_of_images_or_filters_with_fewer_rows(field):
    out, cache = forward(kernels, "conv_block", *FORWARD["conv_block"])
    spoilt = cache._replace(**{field: getattr(cache, field)[:, :, :-1].copy()})
    with pytest.raises(ValueError, match=rf"^conv_block_backward: {field} must have .*shape \("):
        kernels.conv_block_backward(out, spoilt)


def test_a_winner_that_is_no_element_of_its_window_is_read_within_the_image():
    """With a shift far larger than the scale the loop reads the winner's pixel, and compiled loops check no index."""
    arrays, options = FORWARD["conv_block"]
    out, cache = forward(kernels, "conv_block", {**arrays, "shift": FOUR + 1000}, options)
    cache.winner[...] = 255
    assert np.isfinite(kernels.conv_block_backward(out, cache).dscale).all()


def test_a_pool_refuses_winners_that_do_not_fit():
    out, cache = kernels.max_pool2d(X, 2)
    with pytest.raises(ValueError, match="max_pool2d_backward: winner must have shape"):
        kernels.max_pool2d_backward(out[:, :1], cache._replace(winner=cache.winner[:, :1]))
    out, cache = forward(kernels, "conv_block", *FORWARD["conv_block"])
    with pytest.raises(ValueError, match="conv_block_backward: winner must have shape"):
        kernels.conv_block_backward(out, cache._replace(winner=cache.winner[..., 1:]))


def test_the_dtypes_that_loops_are_compiled_for():
    one = {dtype: np.ones(2, dtype) for dtype in ("f4", "f8", ">f4", "f2", "i4", "g")}
    assert [compiled(array) for array in one.values()] == [True, True, False, False, False, False]
    assert [compiled(one["f4"], optional=(None, other)) for other in one.values()] == [
        True,
        False,
        False,
        False,
        False,
        False,
    ]
    assert compiled(one["f4"], one["f4"]) is True
    assert not compiled(one["f4"], None)
