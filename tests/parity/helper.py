"""The one helper of the parity tests: it compares numpynet with PyTorch, value by value and gradient by gradient.

Each comparison checks shape, dtype and values; differences are relative to the largest magnitude of PyTorch's tensor.
Each is noted in `comparisons`, and conftest.py prints at the end of the run how much of each tolerance was used.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from numpynet.dispatch import F
from numpynet.module import Module
from numpynet.typing import AnyArray, Array
from tests.parity.tolerances import Kind, tolerance
from tests.seeds import seeded as seeded

both_dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])

comparisons: list[tuple[str, str, str, float, float]] = []
"""Those of the running test: operation, dtype, kind, largest relative difference, tolerance. conftest.py empties the
list before each test and copies it into the test's report afterwards."""


def check(
    operation: str,
    ours: Callable[..., Any],
    backward: Callable[..., Any],
    theirs: Callable[..., torch.Tensor],
    inputs: Sequence[AnyArray],
    dtype: str,
    constants: int = 0,
    **options: Any,
) -> None:
    """Compare a function and all its gradients under a random cotangent; neither pass may change its arguments.

    inputs: the positional arguments; the last `constants` of them (a loss's target) get no gradient. options: the
    keyword arguments of both sides.
    """
    ours, backward = chosen(ours), chosen(backward)
    arrays = [np.asarray(a, dtype) for a in inputs]
    tensors = [torch.tensor(a, requires_grad=i < len(arrays) - constants) for i, a in enumerate(arrays)]
    out, cache = ours(*(given := [a.copy() for a in arrays]), **options)
    expected = theirs(*tensors, **options)
    compare(operation, "output", "out", out, expected.detach().numpy())

    cotangent = seeded(operation, out.shape, options).standard_normal(out.shape).astype(dtype)
    gradients = backward(dout := cotangent.copy(), cache)
    expected.backward(torch.from_numpy(cotangent))
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    wanted = [t.grad for t in tensors if t.requires_grad]
    for i, (gradient, grad) in enumerate(zip([g for g in gradients if g is not None], wanted, strict=True)):
        assert grad is not None
        compare(operation, "gradient", f"gradient of input {i}", gradient, grad.numpy())

    for i, (array, before) in enumerate(zip(given, arrays, strict=True)):
        assert np.array_equal(array, before, equal_nan=True), f"{operation} changed its input {i}"
    assert np.array_equal(dout, cotangent), f"{operation}'s backward changed dout"


def chosen(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of the same name in the implementation that NUMPYNET_OPS selects."""
    chosen: Callable[..., Any] = getattr(F, function.__name__, function)
    return chosen


def check_layer(
    operation: str, ours: Module, theirs: nn.Module, shape: Sequence[int], dtype: str, steps: int = 1
) -> None:
    """Compare a layer over `steps` training passes and one in evaluation: outputs, all gradients, all buffers."""
    rng = seeded(operation, shape, dtype, str(theirs))
    ours.astype(dtype)
    theirs.to(getattr(torch, dtype))
    randomise(theirs, rng)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    assert str(ours) == printed(theirs)
    for training in [True] * steps + [False]:
        ours.train(training)
        theirs.train(training)
        ours.zero_grad()
        theirs.zero_grad()
        array = (1 + 2 * rng.standard_normal(shape)).astype(dtype)
        tensor = torch.tensor(array, requires_grad=True)
        (out, cache), expected = ours.forward(array), theirs(tensor)
        compare(operation, "output", "out", out, expected.detach().numpy())
        cotangent = rng.standard_normal(out.shape).astype(dtype)
        dx = ours.backward(cotangent, cache)
        expected.backward(torch.from_numpy(cotangent))
        compare(operation, "gradient", "gradient of x", dx, tensor.grad.numpy())  # type: ignore[union-attr]
        compare_gradients(operation, ours, theirs)
        compare_state(operation, ours.state_dict(), theirs)


def compare_gradients(operation: str, ours: Module, theirs: nn.Module, skip: Sequence[str] = ()) -> None:
    """Compare the gradients of all parameters except those named in `skip`."""
    wanted = dict(theirs.named_parameters())
    got = dict(ours.named_parameters())
    assert list(got) == list(wanted)
    for name in [n for n in wanted if n not in skip]:
        ours_grad, grad = got[name].grad, wanted[name].grad
        assert ours_grad is not None
        assert grad is not None
        compare(operation, "gradient", f"gradient of {name}", ours_grad, grad.numpy())


def compare_state(operation: str, state: dict[str, AnyArray], theirs: nn.Module, skip: Sequence[str] = ()) -> None:
    """Compare all parameters and buffers except those named in `skip`; keys in the same order, counts as int64."""
    wanted = theirs.state_dict()
    assert list(state) == list(wanted)
    for name in [n for n in wanted if n not in skip]:
        compare(operation, "output", name, state[name], wanted[name].numpy())


def compare(operation: str, kind: Kind, what: str, got: AnyArray, wanted: AnyArray) -> None:
    """Fail if `got` differs in shape or dtype, or in value by more than the tolerance; note the comparison."""
    where = f"{operation}, {what}"
    assert got.shape == wanted.shape, f"{where}: shape {got.shape}, torch has {wanted.shape}"
    assert got.dtype == wanted.dtype, f"{where}: dtype {got.dtype}, torch has {wanted.dtype}"
    if not np.issubdtype(wanted.dtype, np.floating):
        assert np.array_equal(got, wanted), f"{where}: {got}, torch has {wanted}"
        return
    difference, limit = relative(got, wanted), tolerance(operation, str(wanted.dtype), kind)
    comparisons.append((operation, str(wanted.dtype), kind, difference, limit))
    assert difference <= limit, f"{where}: relative difference {difference:.2e}, at most {limit:.0e} is allowed"


def relative(got: Array, wanted: Array) -> float:
    """The largest difference over the largest magnitude of `wanted`; infinity if NaN or infinities do not coincide."""
    finite = np.isfinite(wanted)
    if not np.array_equal(got[~finite], wanted[~finite], equal_nan=True):
        return float("inf")
    if not finite.any():
        return 0.0
    scale = float(np.abs(wanted[finite]).max()) or 1.0
    return float(np.abs(got[finite].astype(np.float64) - wanted[finite]).max()) / scale


def printed(theirs: nn.Module) -> str:
    """PyTorch's printed form without batch norm's argument `bias`, which only PyTorch 2.13 and later have."""
    return re.sub(r"(affine=\w+), bias=\w+", r"\1", str(theirs))


RANDOM_RANGES = {"weight": (0.5, 2), "bias": (-1, 1), "running_mean": (-1, 1), "running_var": (0.5, 2)}


def randomise(module: nn.Module, rng: np.random.Generator) -> None:
    """Draw batch norm's weight, bias and running statistics: at their initial 1 and 0 nobody notices a missing one."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            for name, ends in RANDOM_RANGES.items():
                if (tensor := getattr(layer, name)) is not None:
                    tensor.data.copy_(torch.from_numpy(rng.uniform(*ends, tuple(tensor.shape))))
