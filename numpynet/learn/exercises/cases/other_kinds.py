"""The cases of the exercises that are not a backward function: each builds its inputs itself."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numpynet import functional as F
from numpynet.layers import Linear, ReLU
from numpynet.learn import one_point
from numpynet.learn.exercises import Exercise, solutions
from numpynet.learn.exercises.cases import examples
from numpynet.learn.exercises.cases.case import Case, Function, Outcome, Stored, guarded_call
from numpynet.learn.exercises.differences import snapshot
from numpynet.losses import SmoothL1Loss
from numpynet.module import Chain, Module, Sequential
from numpynet.optim import SGD, Adam
from numpynet.parameter import Parameter
from numpynet.typing import Array


def linear(exercise: Exercise) -> list[Case]:
    """The forward pass of linear."""

    def case(says: str, hidden: bool, arrays: Sequence[Array | None], tolerance: float = 1e-9) -> Case:
        def run(function: Function, stored: Stored) -> Outcome:
            given = [None if array is None else stored(array) for array in arrays]
            return guarded_call(function, tuple(given), dict(zip(("x", "weight", "bias"), given, strict=True)))

        return Case(says, hidden, run, tolerance=tolerance)

    rng = np.random.default_rng(3)
    shown = [rng.standard_normal(shape) for shape in ((4, 5), (3, 5), (3,))]
    square = [rng.standard_normal(shape) for shape in ((2, 3), (3, 3), (3,))]
    made = examples.EXAMPLES["linear_backward"]()
    return [
        case(made.says, False, [made.inputs[name] for name in ("x", "weight", "bias")]),
        case("batch 4, 5 inputs, 3 outputs", False, [*shown]),
        case("a square weight: 3 inputs, 3 outputs", False, [*square]),
        case("no bias", True, [*shown[:2], None]),
        case("float32", True, [array.astype(np.float32) for array in shown], 1e-4),
    ]


def numerical_gradient(exercise: Exercise) -> list[Case]:
    """Slopes of functions that read the array x."""

    def case(
        says: str, hidden: bool, x: Array, make: Callable[[Array], Callable[[], Array]], step: float | None
    ) -> Case:
        dout = np.random.default_rng(5).standard_normal(make(x)().shape)

        def run(function: Function, stored: Stored) -> Outcome:
            moved, arriving = stored(x), stored(dout)
            given = (make(moved), moved, arriving) if step is None else (make(moved), moved, arriving, step)
            return guarded_call(function, given, {"x": moved, "dout": arriving})

        return Case(says, hidden, run, tolerance=1e-7 if step is None else 1e-9)

    rng = np.random.default_rng(1)

    def convolution(weight: Array) -> Callable[[], Array]:
        return lambda: F.conv2d(one_point.PICTURE, weight, one_point.CONV_BIAS)[0]

    return [
        case("conv.weight of the one-point net", False, one_point.CONV_WEIGHT, convolution, None),
        case("x**3 with a step of 0.25", False, rng.standard_normal((2, 3)), lambda x: lambda: x**3, 0.25),
        case("exp, many numbers from one", True, np.array(0.75), lambda x: lambda: np.exp(x * np.arange(4.0)), 0.125),
        case("one number from many", True, rng.standard_normal((2, 1, 3)), lambda x: lambda: np.sin(x).prod(), None),
    ]


class Twice(Chain):
    """A network in which one linear layer stands twice."""

    def __init__(self) -> None:
        self.shared, self.relu = Linear(3, 3, rng=2, dtype=np.float64), ReLU()

    def path(self) -> list[Module]:
        return [self.shared, self.relu, self.shared]


def chain(exercise: Exercise) -> list[Case]:
    """The backward pass of networks whose layers follow each other."""

    def three() -> Chain:
        return Sequential(Linear(4, 5, rng=0, dtype=np.float64), ReLU(), Linear(5, 2, rng=1, dtype=np.float64))

    def one() -> Chain:
        return Sequential(Linear(3, 2, rng=4, dtype=np.float64))

    def three_float32() -> Chain:
        return Sequential(Linear(4, 3, rng=0), ReLU(), Linear(3, 2, rng=1))

    def case(
        says: str, hidden: bool, make: Callable[[], Chain], x: Array, dout: Array, tolerance: float = 1e-9
    ) -> Case:
        def run(function: Function, stored: Stored) -> Outcome:
            net, arriving = make(), stored(dout)
            _, caches = net.forward(stored(x))
            outcome = guarded_call(function, (net, arriving, caches), {"dout": arriving, "cache": caches})
            for name, parameter in net.named_parameters():
                outcome.changed |= {f"{name}.grad": parameter.grad, name: parameter.data}
            return outcome

        return Case(says, hidden, run, tolerance=tolerance)

    rng = np.random.default_rng(6)
    tensors = one_point.tensors()
    single = np.random.default_rng(14).standard_normal((5, 6)).astype(np.float32)
    return [
        case(examples.ONE_POINT, False, one_point.net, tensors["x"], tensors["dout"]),
        case("three layers", False, three, rng.standard_normal((3, 4)), rng.standard_normal((3, 2))),
        case("one layer twice", False, Twice, rng.standard_normal((4, 3)), rng.standard_normal((4, 3))),
        case("one layer", True, one, rng.standard_normal((2, 3)), rng.standard_normal((2, 2))),
        case("float32", True, three_float32, single[:, :4], single[:, 4:], 1e-4),
    ]


def staged(exercise: Exercise) -> list[Case]:
    """Batch norm line by line."""

    def case(
        says: str, hidden: bool, x: Array, weight: Array, dout: Array, eps: float, tolerance: float = 1e-9
    ) -> Case:
        def run(function: Function, stored: Stored) -> Outcome:
            _, kept = solutions.batch_norm_staged(stored(x), stored(weight), np.zeros_like(weight), eps)
            arriving = stored(dout)
            return guarded_call(function, (arriving, kept), {"dout": arriving, "kept": kept})

        return Case(says, hidden, run, tolerance=tolerance)

    def drawn(says: str, hidden: bool, rows: int, channels: int, eps: float) -> Case:
        rng = np.random.default_rng(rows)
        x, dout = rng.standard_normal((rows, channels)), rng.standard_normal((rows, channels))
        return case(says, hidden, x, rng.standard_normal(channels), dout, eps)

    single = np.random.default_rng(12).standard_normal((13, 2)).astype(np.float32)
    column = np.array([[1.0], [2.0], [3.0], [6.0]])  # mean 3; variance 3.5, and 4 with eps: std is 2
    return [
        case("4 numbers of one channel", False, column, np.array([2.0]), np.array([[1.0], [0.0], [0.0], [-1.0]]), 0.5),
        drawn("5 rows, 3 channels", False, 5, 3, 1e-5),
        drawn("2 rows, 4 channels", True, 2, 4, 0.1),
        drawn("9 rows, 1 channel", True, 9, 1, 1e-3),
        case("float32", True, single[:6], single[6], single[7:], 1e-3, 1e-4),
    ]


def adam(exercise: Exercise) -> list[Case]:
    """Adam over several steps, with a new gradient at each."""

    def case(
        says: str, hidden: bool, param: Array, grads: Sequence[Array], rule: tuple[Any, ...], tolerance: float = 1e-9
    ) -> Case:
        def run(function: Function, stored: Stored) -> Outcome:
            begin = {"param": param, "exp_avg": np.zeros_like(param), "exp_avg_sq": np.zeros_like(param)}
            arrays = {name: stored(array) for name, array in begin.items()}
            outcome = Outcome(was=snapshot({f"{name} after step 1": array for name, array in arrays.items()}))
            given = [stored(grad) for grad in grads]
            for step, grad in enumerate(given, 1):
                function(arrays["param"], grad, arrays["exp_avg"], arrays["exp_avg_sq"], step, *rule)
                outcome.changed |= {f"{name} after step {step}": array.copy() for name, array in arrays.items()}
            outcome.untouched = snapshot({"grad": grads}), snapshot({"grad": given})
            return outcome

        return Case(says, hidden, run, tolerance=tolerance)

    rng = np.random.default_rng(9)
    param = rng.standard_normal((2, 3))
    grads = [rng.standard_normal((2, 3)) for _ in range(4)]
    tensors = one_point.tensors()
    first = (one_point.LR, (0.9, 0.999), 1e-8, 0.0, False)
    single = [grad.astype(np.float32) for grad in grads]
    return [
        case(
            "the first step of the one-point net",
            False,
            tensors["linear.weight"],
            [tensors["linear.weight.grad"]],
            first,
        ),
        case("four steps", False, param, grads, (0.1, (0.5, 0.75), 0.01, 0.0, False)),
        case("weight decay", False, param, grads, (0.05, (0.9, 0.99), 1e-3, 0.2, False)),
        case("decoupled weight decay", True, param, grads, (0.05, (0.9, 0.99), 1e-3, 0.2, True)),
        case("float32", True, param.astype(np.float32), single, (0.1, (0.9, 0.99), 1e-3, 0.0, False), 1e-4),
    ]


def train_step(exercise: Exercise) -> list[Case]:
    """Several steps of a training, with the order of the calls on record."""

    def case(
        says: str, hidden: bool, make: Callable[[], Chain], optimizer_of: Callable[[list[Parameter]], Any], steps: int,
        batch: tuple[Array, Array],
    ) -> Case:  # fmt: skip
        def run(function: Function, stored: Stored) -> Outcome:
            net, calls = make(), []
            optimizer, loss_of = optimizer_of(net.parameters()), SmoothL1Loss()

            def criterion(out: Array, targets: Array) -> tuple[float, Array]:
                calls.append("criterion")
                return loss_of(out, targets)

            _recorded(net, ("forward", "backward"), calls)
            _recorded(optimizer, ("step", "zero_grad"), calls)
            images, targets = (stored(array) for array in batch)
            outcome = Outcome()
            for step in range(1, steps + 1):
                loss = function(net, criterion, optimizer, images, targets)
                outcome.changed |= {f"{name} after step {step}": p.data.copy() for name, p in net.named_parameters()}
                outcome.changed[f"loss of step {step}"] = loss
            outcome.result, outcome.calls = loss, calls
            outcome.untouched = {"images": batch[0], "targets": batch[1]}, {"images": images, "targets": targets}
            return outcome

        return Case(says, hidden, run)

    def network() -> Chain:
        return Sequential(Linear(4, 5, rng=0, dtype=np.float64), ReLU(), Linear(5, 2, rng=1, dtype=np.float64))

    rng = np.random.default_rng(10)
    batch = rng.standard_normal((3, 4)), rng.standard_normal((3, 2))
    point = one_point.PICTURE, one_point.TARGET
    return [
        case("one step of the one-point net", False, one_point.net, lambda p: Adam(p, lr=one_point.LR), 1, point),
        case("three steps of two linear layers", False, network, lambda p: SGD(p, lr=0.1), 3, batch),
        case("four steps with momentum", True, network, lambda p: SGD(p, lr=0.1, momentum=0.9), 4, batch),
    ]


def _recorded(thing: Any, names: tuple[str, ...], calls: list[str]) -> None:
    """Have every call of these methods noted."""
    for name in names:
        method = getattr(thing, name)

        def noted(*arguments: Any, name: str = name, method: Function = method) -> Any:
            calls.append(name)
            return method(*arguments)

        setattr(thing, name, noted)
