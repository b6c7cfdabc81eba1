"""Adam with one spoiled argument at a time: it makes the right step, or raises a clear error and moves nothing."""

import numpy as np
import pytest

from numpynet import functional, kernels
from numpynet.kernels.factors import Factors
from tests.kernels.spoiling import DTYPES, ORDERS, SHAPES, agree, modules, numbers, outcome, plain

RULE = (2, 0.1, (0.8, 0.9), 0.01, 0.2)


def adam_arrays():
    return {name: numbers(5, 4, seed=i) for i, name in enumerate(("param", "grad", "exp_avg", "exp_avg_sq"))}


def adam_factored():
    arrays = {name: numbers(5, 4, seed=i) for i, name in enumerate(("param", "exp_avg", "exp_avg_sq"))}
    return {**arrays, "left": numbers(3, 5), "right": numbers(3, 4)}


def moved(module, arrays):
    """The parameter and its moments after a step."""
    if "grad" in arrays:
        module.adam_update(*arrays.values(), *RULE)
    else:
        factors = Factors(arrays["left"], arrays["right"])
        module.adam_update(arrays["param"], factors, arrays["exp_avg"], arrays["exp_avg_sq"], *RULE)
    return arrays["param"], arrays["exp_avg"], arrays["exp_avg_sq"]


ADAM = [(make, argument) for make in (adam_arrays, adam_factored) for argument in make()]
adams = pytest.mark.parametrize(("make", "argument"), ADAM, ids=lambda x: getattr(x, "__name__", x))


@modules
@pytest.mark.parametrize("spoil", SHAPES.values(), ids=SHAPES)
@adams
def test_adam_refuses_an_argument_of_another_shape_and_moves_nothing(make, argument, spoil, module):
    arrays = make()
    arrays[argument] = spoil(arrays[argument])
    before = {name: array.copy() for name, array in arrays.items()}
    with pytest.raises(ValueError, match=r"^(adam_update|Factors): .* must have"):
        moved(module, arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])


@modules
@pytest.mark.parametrize("order", ORDERS)
@adams
def test_adam_moves_arrays_in_another_order(make, argument, order, module):
    arrays = make()
    arrays[argument] = ORDERS[order](arrays[argument])
    before = {name: array.copy() for name, array in arrays.items()}
    if order == "read-only" and argument in ("param", "exp_avg", "exp_avg_sq"):
        with pytest.raises(ValueError, match=f"^adam_update.*: {argument} .*read-only"):
            moved(module, arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, before[name])
    else:
        agree(plain(moved(module, arrays)), plain(moved(functional, {k: v.copy("C") for k, v in before.items()})))
        assert (arrays["param"] != before["param"]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@adams
def test_adam_with_an_argument_of_another_dtype(make, argument, dtype):
    results = []
    for module in (kernels, functional):
        arrays = make()
        arrays[argument] = arrays[argument].astype(dtype)
        results.append(outcome(lambda m=module, a=arrays: moved(m, a)))
    agree(*results)
    assert isinstance(results[0], str) == (np.dtype(dtype) != np.dtype(">f4"))


@pytest.mark.parametrize("dtype", ["f2", "g", ">f4", ">f8"])
@pytest.mark.parametrize("make", [adam_arrays, adam_factored])
def test_adam_of_another_dtype(make, dtype):
    results = [moved(m, {k: v.astype(dtype) for k, v in make().items()}) for m in (kernels, functional)]
    agree(*map(plain, results))
    assert not np.array_equal(results[0][0], make()["param"].astype(dtype))
