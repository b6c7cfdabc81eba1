"""The twin's Trainer, driven by numpynet's loop, and its checkpoints."""

from typing import Any

import numpy as np
import pytest
import torch

from numpynet import Adam, AdamW, KeypointNet, SmoothL1Loss, WeightAverage
from numpynet.checkpoint import load_tensors, save_tensors
from numpynet.schedules import one_cycle
from numpynet.training import EpochEvent, Progress, StepEvent, fit
from numpynet.training import Trainer as NumpyTrainer
from reference.training import Trainer, make_trainer

ARGUMENTS: dict[str, Any] = {"size": 32, "channels": [4, 6], "hidden": [12], "padding": 1, "dropout": 0.3}


def batches(epoch):
    """Three batches, the same in every epoch, so that they can be learned."""
    rng = np.random.default_rng(7)
    for _ in range(3):
        yield rng.random((4, 1, 32, 32), np.float32), rng.standard_normal((4, 136), np.float32)


def trainer(seed: int = 0, dropout: float = 0.3, loss: Any = "smooth_l1") -> Trainer:
    arguments = ARGUMENTS | {"dropout": dropout}
    return make_trainer(KeypointNet(**arguments, rng=seed).state_dict(), arguments, loss, 1e-2, seed)


def recipe(seed: int = 0, dropout: float = 0.3) -> Trainer:
    """A trainer with weight decay, schedule and average."""
    arguments = ARGUMENTS | {"dropout": dropout}
    options: dict[str, Any] = {"weight_decay": 0.1, "schedule": one_cycle(1e-2, 12), "average_decay": 0.8}
    return make_trainer(KeypointNet(**arguments, rng=seed).state_dict(), arguments, "l1", 1.0, seed, **options)


def test_the_loop_learns_and_tells():
    events = list(fit(trainer(dropout=0.0), batches, epochs=15, validate=lambda: 0.25))
    steps = [e for e in events if isinstance(e, StepEvent)]
    epochs = [e for e in events if isinstance(e, EpochEvent)]
    assert [(e.epoch, e.step) for e in steps] == [(i, j) for i in range(1, 16) for j in (1, 2, 3)]
    assert [e.validation_loss for e in epochs] == [0.25] * 15
    assert epochs[0].train_loss == pytest.approx(np.mean([e.loss for e in steps[:3]]))
    assert epochs[-1].train_loss < 0.6 * epochs[0].train_loss


def test_the_first_step_is_numpynets():
    """Without dropout both sides compute the same first loss and, except for rounding, the same weights after it."""
    twin = trainer(dropout=0.0)
    net = KeypointNet(**(ARGUMENTS | {"dropout": 0.0}), rng=0)
    ours = NumpyTrainer(net, SmoothL1Loss(), Adam(net.parameters(), lr=1e-2))
    images, targets = next(batches(1))
    assert ours.train_step(images, targets) == pytest.approx(twin.train_step(images, targets), rel=1e-6)
    assert np.allclose(net.state_dict()["fc2.weight"], twin.weights()["fc2.weight"], atol=1e-5)
    assert not np.allclose(trainer(dropout=0.0).weights()["fc2.weight"], twin.weights()["fc2.weight"], atol=1e-5)


def test_predict_in_evaluation_leaves_everything_as_it_was():
    twin = trainer()
    list(fit(twin, batches, epochs=1))
    before = {key: array.copy() for key, array in twin.state_dict().items()}
    twin.train(False)
    images, _ = next(batches(1))
    assert np.array_equal(twin.predict(images), twin.predict(images))
    after = twin.state_dict()
    assert all(np.array_equal(after[key], array) for key, array in before.items())


@pytest.mark.parametrize("trainer", [trainer, recipe])
def test_interrupted_and_resumed_equals_uninterrupted(trainer, tmp_path):
    """Through a file, with dropout, Adam's state and running statistics: bit for bit."""
    whole = trainer()
    list(fit(whole, batches, epochs=4))

    first = trainer()
    list(fit(first, batches, epochs=2))
    save_tensors(tmp_path / "state.safetensors", first.state_dict(), {})
    torch.manual_seed(999)  # as if the process had drawn other numbers in between
    second = trainer(seed=5)
    second.load_state_dict(load_tensors(tmp_path / "state.safetensors")[0])
    list(fit(second, batches, epochs=4, start=Progress(2)))

    wanted = whole.state_dict()
    assert second.state_dict().keys() == wanted.keys()
    for key, array in second.state_dict().items():
        assert np.array_equal(array, wanted[key]), key


def test_a_checkpoint_of_numpynet_goes_on_in_the_twin_and_back():
    """Weights and Adam's state go from one side to the other; without dropout the next losses agree."""
    arguments = ARGUMENTS | {"dropout": 0.0}
    net = KeypointNet(**arguments, rng=0)
    ours = NumpyTrainer(net, SmoothL1Loss(), Adam(net.parameters(), lr=1e-4))
    list(fit(ours, batches, epochs=2))
    twin = make_trainer(KeypointNet(**arguments, rng=1).state_dict(), arguments, "smooth_l1", 1e-4, 0)
    twin.load_state_dict({key: array.copy() for key, array in ours.state_dict().items()})
    for images, targets in batches(3):
        assert twin.train_step(images, targets) == pytest.approx(ours.train_step(images, targets), rel=1e-4)
    other = KeypointNet(**arguments, rng=2)
    back = NumpyTrainer(other, SmoothL1Loss(), Adam(other.parameters(), lr=1e-4))
    back.load_state_dict({key: array.copy() for key, array in twin.state_dict().items()})
    images, targets = next(batches(4))
    assert back.train_step(images, targets) == pytest.approx(twin.train_step(images, targets), rel=1e-5)


def test_with_decay_schedule_and_average_the_twin_does_what_numpynet_does():
    """In float64: rates, weights and averages agree, and the twin can continue from numpynet's state."""
    arguments = ARGUMENTS | {"dropout": 0.0}
    net = KeypointNet(**arguments, rng=0).astype(np.float64)
    schedule = one_cycle(1e-2, 12)
    ours = NumpyTrainer(
        net, SmoothL1Loss(), AdamW(net.parameters(), weight_decay=0.1), schedule, WeightAverage(net, 0.8)
    )
    options = {"weight_decay": 0.1, "schedule": schedule, "average_decay": 0.8}
    twin = make_trainer(net.state_dict(), arguments, "smooth_l1", 1.0, 0, **options)
    other = make_trainer(net.state_dict(), arguments, "smooth_l1", 1.0, 0, **options)
    whole_batches = [(images.astype(np.float64), targets.astype(np.float64)) for images, targets in batches(1)]
    for step in range(6):
        if step == 3:
            other.load_state_dict({key: array.copy() for key, array in ours.state_dict().items()})
        images, targets = whole_batches[step % 3]
        assert ours.lr == twin.lr == schedule(step)
        loss = ours.train_step(images, targets)
        assert loss == pytest.approx(twin.train_step(images, targets), rel=1e-8)
        if step >= 3:
            assert loss == pytest.approx(other.train_step(images, targets), rel=1e-8)
    assert ours.state_dict().keys() == twin.state_dict().keys() ^ {"rng.torch", "rng.0"}
    for key in (
        "net.fc2.weight",
        "average.net.fc2.weight",
        "average.net.fc1_bn.running_var",
        "average.updates",
        "step",
    ):
        for theirs in (twin, other):
            wanted = theirs.state_dict()[key]
            np.testing.assert_allclose(ours.state_dict()[key], wanted, rtol=1e-7, atol=1e-9, err_msg=key)
    for trainer in (ours, twin, other):
        trainer.train(False)
    np.testing.assert_allclose(ours.predict(images), twin.predict(images), rtol=1e-7, atol=1e-9)
    assert not np.allclose(twin.weights()["fc2.weight"], twin.state_dict()["net.fc2.weight"], atol=1e-5)


def test_a_state_without_step_and_average_begins_them_anew():
    """States saved before there were steps and averages can still be loaded."""
    twin = recipe()
    list(fit(twin, batches, epochs=1))
    old = trainer()
    list(fit(old, batches, epochs=1))
    state = {key: array.copy() for key, array in old.state_dict().items() if key != "step"}
    twin.load_state_dict(state)
    assert (twin.steps_done, twin.state_dict()["average.updates"]) == (0, 0)
    assert all(np.array_equal(array, state[f"net.{key}"]) for key, array in twin.weights().items())
    twin.train_step(*next(batches(1)))
    assert all(np.array_equal(array, twin.state_dict()[f"net.{key}"]) for key, array in twin.weights().items())


def test_an_average_of_another_network_is_refused():
    twin = recipe()
    with pytest.raises(ValueError, match=r"fc1\.weight"):
        twin.load_state_dict(twin.state_dict() | {"average.net.fc1.weight": np.zeros((3, 3), np.float32)})


def test_a_state_of_another_network_is_refused():
    small = ARGUMENTS | {"hidden": [9]}
    other = make_trainer(KeypointNet(**small, rng=0).state_dict(), small, "smooth_l1", 1e-2, 0)
    with pytest.raises(ValueError, match=r"fc1\.weight"):
        other.load_state_dict(trainer().state_dict())


def test_the_criterion_is_the_one_asked_for():
    images, targets = next(batches(1))
    twin = trainer(dropout=0.0, loss="mse")
    expected = float(np.mean((KeypointNet(**(ARGUMENTS | {"dropout": 0.0}), rng=0)(images) - targets) ** 2))
    assert twin.train_step(images, targets) == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_training():
    twin = trainer()
    with torch.no_grad():
        next(iter(twin.net.parameters())).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="step 1 of epoch 1"):
        list(fit(twin, batches, epochs=1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer.momentum_buffer.0": np.ones(3, np.float32)}, r"momentum_buffer\.0 is of another rule"),
        ({"optimizer.step.0": np.array(-1)}, r"step\.0 must be at least 1"),
        ({"optimizer.step.0": np.array(2**62)}, r"step\.0 must be at most"),
        ({"optimizer.exp_avg.0": None}, r"missing exp_avg\.0"),
        ({"optimizer.exp_avg.0": np.ones((4, 1, 3, 3), np.int64)}, r"exp_avg\.0 must be float32, got int64"),
        ({"net.fc2.bias": None}, r"missing fc2\.bias"),
        ({"net.fc2.bias": np.ones(136, np.complex64)}, r"fc2\.bias must be float32, got complex64"),
        ({"average.net.fc2.bias": np.ones(5, np.float32)}, r"fc2\.bias must have shape"),
        ({"average.updates": None}, r"missing average\.updates"),
        ({"average.updates": np.array(-1)}, "updates must be at least 0"),
        ({"step": np.array(-1)}, "step must be at least 0"),
        ({"step": np.array(np.nan)}, "step must be an integer"),
        ({"rng.torch": np.zeros(5, np.uint8)}, r"rng\.torch is damaged"),
        ({"rng.torch": np.zeros(5, np.float32)}, r"rng\.torch is damaged"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_state_that_does_not_fit_changes_nothing(changes, words):
    other = recipe(seed=5)
    list(fit(other, batches, epochs=1))
    state = {key: array.copy() for key, array in other.state_dict().items()} | changes
    twin = recipe()
    list(fit(twin, batches, epochs=1))
    before = {key: array.copy() for key, array in twin.state_dict().items()}
    with pytest.raises(ValueError, match=words):
        twin.load_state_dict({key: array for key, array in state.items() if array is not None})
    after = twin.state_dict()
    assert after.keys() == before.keys()
    for key, array in before.items():
        np.testing.assert_array_equal(after[key], array, err_msg=key)


def test_weights_that_become_nan_in_the_last_update_are_noticed():
    twin, step = trainer(), trainer().train_step

    def train_step(images, targets):
        with torch.no_grad():
            next(iter(twin.net.parameters())).view(-1)[0] = float("nan")
        return step(images, targets)  # the step of another trainer, whose loss is finite

    twin.train_step = train_step
    with pytest.raises(FloatingPointError, match=r"net\.conv1\.weight is no longer finite after epoch 1"):
        list(fit(twin, batches, epochs=1))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda net, images, targets: images.fill(np.inf), "the images"),
        (lambda net, images, targets: targets.fill(np.nan), "the targets"),
        (lambda net, images, targets: net.fc1.weight[0].fill_(np.nan), "fc1.weight, which the step before has spoiled"),
        (lambda net, images, targets: net.fc1.weight.fill_(3e38), "the output of fc1"),
        (lambda net, images, targets: targets.fill(3e38), "the loss, as all outputs are finite when computed once m.*"),
    ],
)
def test_a_loss_that_is_not_finite_is_traced_and_changes_no_weight(spoil, words):
    twin = trainer()
    twin.criterion = torch.nn.MSELoss()
    images, targets = (array.copy() for array in next(iter(batches(1))))
    with torch.no_grad():
        spoil(twin.net, images, targets)
    before = {key: array.copy() for key, array in twin.weights().items()}
    with pytest.raises(FloatingPointError, match=f"step 1 of epoch 1, first in {words}; lower"):
        list(fit(twin, lambda epoch: [(images, targets)], epochs=1))
    for key, array in twin.weights().items():
        if key.endswith(("weight", "bias")):
            np.testing.assert_array_equal(array, before[key], err_msg=key)
