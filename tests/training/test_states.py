"""States of another optimizer, network or average are refused with a reason, and change nothing."""

import numpy as np
import pytest

from numpynet import SGD, Adam, AdamW, KeypointNet, Linear, Parameter, SmoothL1Loss, WeightAverage
from numpynet.checks import not_finite
from numpynet.training import Trainer
from tests.seeds import seeded


def momentum(params):
    return SGD(params, momentum=0.9)


def moved(optimizer_of, shape=(3,), dtype=np.float64, steps=2):
    """An optimizer after some steps on one parameter, and a copy of its state."""
    parameter = Parameter(np.ones(shape, dtype))
    optimizer = optimizer_of([parameter])
    rng = seeded("moved", shape, steps)
    for _ in range(steps):
        parameter.grad = rng.standard_normal(shape).astype(dtype)
        optimizer.step()
    return optimizer, {key: array.copy() for key, array in optimizer.state_dict().items()}


def refused(optimizer, state, words):
    """Checks the error, and that the optimizer's state is unchanged and its next step works."""
    before = {key: array.copy() for key, array in optimizer.state_dict().items()}
    with pytest.raises(ValueError, match=words):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after.keys() == before.keys()
    for key, array in before.items():
        np.testing.assert_array_equal(after[key], array)
    optimizer.params[0].grad = np.ones_like(optimizer.params[0].data)
    optimizer.step()
    assert np.isfinite(optimizer.params[0].data).all()


@pytest.mark.parametrize(
    ("optimizer_of", "other", "words"),
    [
        (Adam, momentum, r"momentum_buffer\.0 is of another rule; this one remembers step, exp_avg, exp_avg_sq"),
        (AdamW, momentum, r"momentum_buffer\.0 is of another rule"),
        (momentum, Adam, r"step\.0 is of another rule; this one remembers momentum_buffer"),
        (SGD, Adam, r"step\.0 is of another rule; this one remembers nothing"),
        (SGD, momentum, r"momentum_buffer\.0 is of another rule; this one remembers nothing"),
    ],
)
@pytest.mark.parametrize("steps", [0, 2])
def test_the_state_of_another_rule_is_refused(steps, optimizer_of, other, words):
    refused(moved(optimizer_of, steps=steps)[0], moved(other)[1], words)


@pytest.mark.parametrize("optimizer_of", [Adam, AdamW, SGD, momentum])
def test_its_own_state_and_the_empty_one_load(optimizer_of):
    optimizer, state = moved(optimizer_of)
    other, _ = moved(optimizer_of, steps=5)
    other.load_state_dict(state)
    for key, array in other.state_dict().items():
        np.testing.assert_array_equal(array, optimizer.state_dict()[key])
        assert not np.shares_memory(array, state[key])
    other.load_state_dict({})
    assert other.state_dict() == {}


def test_adam_and_adamw_remember_the_same():
    optimizer, _ = moved(AdamW)
    optimizer.load_state_dict(moved(Adam)[1])
    assert int(optimizer.state_dict()["step.0"]) == 2


@pytest.mark.parametrize("missing", ["step", "exp_avg", "exp_avg_sq"])
def test_a_missing_array_is_named(missing):
    optimizer, state = moved(Adam)
    del state[f"{missing}.0"]
    refused(optimizer, state, rf"load_state_dict: missing {missing}\.0")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp_avg.1": np.ones(3)}, r"exp_avg\.1 belongs to no parameter"),
        ({"exp_avg.-1": np.ones(3)}, r"exp_avg\.-1 belongs to no parameter"),
        ({"exp_avg.00": np.ones(3)}, r"exp_avg\.00 belongs to no parameter"),
        ({"exp_avg.²": np.ones(3)}, "belongs to no parameter"),
        ({"exp_avg." + "9" * 5000: np.ones(3)}, "belongs to no parameter"),
        ({"exp_avg": np.ones(3)}, "exp_avg belongs to no parameter"),
        ({"gamma.0": np.ones(3)}, r"gamma\.0 is of another rule"),
        ({"exp_avg.0": np.ones(())}, r"exp_avg\.0 must have shape \(3,\), got \(\)"),
        ({"exp_avg.0": np.ones(1)}, r"exp_avg\.0 must have shape \(3,\), got \(1,\)"),
        ({"exp_avg_sq.0": np.ones((3, 1))}, r"exp_avg_sq\.0 must have shape \(3,\), got \(3, 1\)"),
        ({"exp_avg.0": np.ones(3, np.int64)}, r"exp_avg\.0 must be float64, got int64"),
        ({"exp_avg.0": np.ones(3, np.complex128)}, r"exp_avg\.0 must be float64, got complex128"),
        ({"exp_avg.0": np.array(["a"] * 3)}, r"exp_avg\.0 must be float64, got <U1"),
        ({"exp_avg_sq.0": np.array([1.0, -1.0, 1.0])}, r"exp_avg_sq\.0 must not be negative"),
        ({"step.0": np.array(0)}, r"step\.0 must be at least 1, got 0"),
        ({"step.0": np.array(-7)}, r"step\.0 must be at least 1, got -7"),
        ({"step.0": np.array(np.iinfo(np.int64).max)}, r"step\.0 must be at most 9007199254740992"),
        ({"step.0": np.array(np.iinfo(np.uint64).max)}, r"step\.0 must be at most"),
        ({"step.0": np.array(1e300)}, r"step\.0 must be at most"),
        ({"step.0": np.array(np.inf)}, r"step\.0 must be an integer, got inf"),
        ({"step.0": np.array(np.nan)}, r"step\.0 must be an integer, got nan"),
        ({"step.0": np.array(2.5)}, r"step\.0 must be an integer, got 2\.5"),
        ({"step.0": np.array(True)}, r"step\.0 must be an integer, got True"),
        ({"step.0": np.array([2])}, r"step\.0 must have shape \(\), got \(1,\)"),
        ({"step.0": np.ones(3)}, r"step\.0 must have shape \(\), got \(3,\)"),
        ({"step.0": np.array("2")}, r"step\.0 must be an integer, got '2'"),
    ],
    ids=lambda value: next(iter(value))[:20] if isinstance(value, dict) else "",
)
def test_arrays_that_would_fail_inside_adam_are_refused(changes, words):
    optimizer, state = moved(Adam)
    refused(optimizer, state | changes, words)


def test_moments_come_into_the_parameters_dtype_and_counts_of_pytorch_are_whole():
    optimizer, _ = moved(Adam, dtype=np.float32)
    _, state = moved(Adam, steps=3)
    optimizer.load_state_dict(state | {"step.0": np.array(3, np.float32)})
    got = optimizer.state_dict()
    assert got["exp_avg.0"].dtype == np.float32
    assert got["step.0"].dtype == np.int64
    np.testing.assert_allclose(got["exp_avg.0"], state["exp_avg.0"], rtol=1e-6)


@pytest.mark.parametrize("optimizer_of", [Adam, momentum])
@pytest.mark.parametrize("data", [np.ones(4), np.ones((3, 1)), np.ones(3, np.float32)], ids=str)
def test_a_parameter_that_became_another_is_refused_at_the_next_step(data, optimizer_of):
    optimizer, _ = moved(optimizer_of)
    parameter = optimizer.params[0]
    parameter.zero_grad()
    parameter.data = data
    parameter.grad = np.ones_like(data)
    with pytest.raises(ValueError, match=r"parameter 0 was float64 \(3,\) at the step before and is .*new optimizer"):
        optimizer.step()
    np.testing.assert_array_equal(data, 1)


ARGUMENTS = {"size": 20, "channels": (3,), "hidden": (5,), "padding": 1, "dropout": 0.3}


def learner(seed=0, optimizer_of=Adam, average=True, **changes):
    net = KeypointNet(**(ARGUMENTS | changes), rng=seed)
    return Trainer(net, SmoothL1Loss(), optimizer_of(net.parameters()), average=WeightAverage(net) if average else None)


def taught(**options):
    trainer = learner(**options)
    rng = seeded("taught")
    for _ in range(2):
        trainer.train_step(rng.random((4, 1, 20, 20), np.float32), rng.random((4, 136), np.float32))
    return {key: array.copy() for key, array in trainer.state_dict().items()}


def without(state, *prefixes):
    return {key: array for key, array in state.items() if not key.startswith(prefixes)}


SPOILERS = {
    "missing fc1.weight": lambda state: without(state, "net.fc1.weight"),
    "unknown fc9.weight": lambda state: state | {"net.fc9.weight": np.ones(3)},
    "fc1.bias must be float32, got complex64": lambda state: state | {"net.fc1.bias": np.ones(5, np.complex64)},
    "missing exp_avg.2": lambda state: without(state, "optimizer.exp_avg.2"),
    r"missing optimizer.\*, the optimizer's state after 2 steps": lambda state: without(state, "optimizer."),
    r"missing optimizer.\*, the optimizer's state after 1 step$": lambda state: (
        without(state, "optimizer.") | {"step": np.array(1)}
    ),
    "step.0 must be at most": lambda state: state | {"optimizer.step.0": np.array(2**62)},
    "is of another rule": lambda state: state | {"optimizer.momentum_buffer.0": np.ones((3, 1, 3, 3), np.float32)},
    "missing fc1_bn.running_var": lambda state: without(state, "average.net.fc1_bn.running_var"),
    "fc2.bias must have shape": lambda state: state | {"average.net.fc2.bias": np.ones(3, np.float32)},
    "missing average.updates": lambda state: without(state, "average.updates"),
    r"missing average.net.\*": lambda state: without(state, "average.net."),
    "average.updates must be at least 0, got -1": lambda state: state | {"average.updates": np.array(-1)},
    "average.updates must be an integer, got nan": lambda state: state | {"average.updates": np.array(np.nan)},
    "load_state_dict: step must be at least 0, got -3": lambda state: state | {"step": np.array(-3)},
    "load_state_dict: step must be at most": lambda state: state | {"step": np.array(2**63 - 1)},
    r"load_state_dict: step must have shape \(\), got \(2,\)": lambda state: state | {"step": np.array([1, 2])},
    "rng.0 is not the state of a PCG64": lambda state: state | {"rng.0": np.zeros(9, np.uint8)},
    "rng.0 is not the state of a PCG64 ": lambda state: state | {"rng.0": np.frombuffer(b"[1]", np.uint8)},
    "rng.0 is not the state of a PCG64  ": lambda state: (
        state | {"rng.0": np.frombuffer(b'{"bit_generator": "MT19937"}', np.uint8)}
    ),
    "rng.0 is not the state of a PCG64   ": lambda state: (
        state | {"rng.0": np.frombuffer(b'{"bit_generator": "PCG64", "state": {"state": "x", "inc": 1}}', np.uint8)}
    ),
    "rng.0 is not the state of a PCG64    ": lambda state: state | {"rng.0": np.frombuffer(b"[" * 10000, np.uint8)},
}


@pytest.mark.parametrize("words", SPOILERS)
def test_a_trainers_state_that_does_not_fit_changes_nothing(words):
    rng = seeded("next step")
    trainer = learner(seed=3)
    before = {key: array.copy() for key, array in trainer.state_dict().items()}
    with pytest.raises(ValueError, match=words.rstrip()):
        trainer.load_state_dict(SPOILERS[words](taught()))
    after = trainer.state_dict()
    assert after.keys() == before.keys()
    for key, array in before.items():
        np.testing.assert_array_equal(after[key], array, err_msg=key)
    trainer.train_step(rng.random((4, 1, 20, 20), np.float32), rng.random((4, 136), np.float32))


def test_a_trainers_state_that_fits_loads():
    trainer, state = learner(seed=3), taught()
    trainer.load_state_dict(state)
    for key, array in trainer.state_dict().items():
        np.testing.assert_array_equal(array, state[key], err_msg=key)


def test_a_state_of_another_rule_is_refused_by_the_trainer_too():
    with pytest.raises(ValueError, match="is of another rule"):
        learner(optimizer_of=momentum).load_state_dict(taught())
    plain = learner(optimizer_of=SGD, average=False)
    plain.load_state_dict(taught(optimizer_of=SGD, average=False))  # plain SGD has no state, so none is missing
    assert plain.steps_done == 2


@pytest.mark.parametrize("updates", [-1, 1.5, True, None, 2**60, "3"])
def test_an_average_of_no_possible_count_is_refused(updates):
    average = WeightAverage(Linear(2, 2, rng=0))
    state = {f"net.{key}": array + 1 for key, array in average.net.state_dict().items()}
    before = average.net.state_dict()["weight"].copy()
    with pytest.raises(ValueError, match="load_state_dict: updates must be"):
        average.load_state_dict(state | {"updates": updates})
    np.testing.assert_array_equal(average.net.state_dict()["weight"], before)


def test_load_state_dict_takes_lists_and_refuses_a_read_only_place():
    layer = Linear(2, 1, rng=0)
    layer.load_state_dict({"weight": [[1.0, 2.0]], "bias": [3.0]})
    np.testing.assert_array_equal(layer.weight.data, [[1, 2]])
    layer.bias.data = np.broadcast_to(np.float32(7), (1,))
    with pytest.raises(ValueError, match="load_state_dict: bias is read-only here"):
        layer.load_state_dict({"weight": np.zeros((1, 2)), "bias": np.zeros(1)})
    np.testing.assert_array_equal(layer.weight.data, [[1, 2]])


def test_a_state_without_generators_leaves_them_where_they_are():
    """The PyTorch twin's state has none."""
    trainer, state = learner(seed=3), without(taught(), "rng.")
    before = trainer.net.dropout.rng.bit_generator.state
    trainer.load_state_dict(state)
    assert trainer.net.dropout.rng.bit_generator.state == before
    np.testing.assert_array_equal(trainer.net.fc1.weight.data, state["net.fc1.weight"])


@pytest.mark.parametrize(
    ("unknown", "words"),
    [
        (["b"], "load_state_dict: unknown b"),
        (["c", "b", "a"], "load_state_dict: unknown a, b, c"),
        (["d", "c", "b", "a"], "load_state_dict: unknown a, b, c and 1 more"),
    ],
)
def test_at_most_three_keys_are_named(unknown, words):
    layer = Linear(2, 2, rng=0)
    with pytest.raises(ValueError, match=rf"^{words}$"):
        layer.load_state_dict(layer.state_dict() | dict.fromkeys(unknown, np.ones(1)))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_the_first_array_that_is_not_finite_is_named(number):
    bad = np.array([1.0, number])
    assert not_finite({"a": np.zeros(2), "count": np.array(3), "b": bad, "c": bad}) == "b"
    assert not_finite({"a": np.zeros(2), "none": np.zeros(0), "count": np.array(3)}) is None
