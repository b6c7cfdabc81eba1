"""The trainer with a schedule and an average: what each step does, and that a resumed run gives the same result."""

import itertools

import numpy as np
import pytest

from numpynet import SGD, AdamW, Dropout, KeypointNet, Linear, MSELoss, Sequential, SmoothL1Loss, WeightAverage, fuse
from numpynet.checkpoint import load_tensors, save_tensors
from numpynet.schedules import one_cycle
from numpynet.training import Progress, StepEvent, Trainer, fit
from numpynet.training_state import saved_generator

SCHEDULE = one_cycle(1e-2, 12)


def batches(epoch):
    """Three batches, the same in every epoch."""
    rng = np.random.default_rng(7)
    for _ in range(3):
        yield rng.random((4, 1, 20, 20), np.float32), rng.standard_normal((4, 136), np.float32)


def trainer(seed=0, fused=False, schedule=SCHEDULE, decay=0.8):
    net = KeypointNet(20, (3, 4), (12,), padding=1, dropout=0.3, rng=seed)
    trained = fuse(net, input_gradient=False) if fused else net
    average = None if decay is None else WeightAverage(trained, decay)
    return Trainer(trained, SmoothL1Loss(), AdamW(net.parameters(), weight_decay=0.1), schedule, average)


def copied(state):
    return {key: array.copy() for key, array in state.items()}


def same(got, wanted):
    assert got.keys() == wanted.keys()
    for key, array in got.items():
        np.testing.assert_array_equal(array, wanted[key], err_msg=key)


@pytest.mark.parametrize("fused", [False, True])
def test_interrupted_and_resumed_equals_uninterrupted(fused, tmp_path):
    """Stopped in mid-schedule, saved to a file, with dropout: weights and predictions are equal bit for bit."""
    whole = trainer(fused=fused)
    list(fit(whole, batches, epochs=4))

    first = trainer(fused=fused)
    list(fit(first, batches, epochs=2, validate=lambda: float(first.predict(next(batches(1))[0]).sum())))
    save_tensors(tmp_path / "state.safetensors", first.state_dict(), {})
    second = trainer(seed=5, fused=fused)
    second.load_state_dict(load_tensors(tmp_path / "state.safetensors")[0])
    assert second.lr == SCHEDULE(6)
    list(fit(second, batches, epochs=4, start=Progress(2)))

    same(second.state_dict(), whole.state_dict())
    for side in (second, whole):
        side.train(False)
    images, _ = next(batches(1))
    np.testing.assert_array_equal(second.predict(images), whole.predict(images))


def test_every_event_tells_the_rate_of_its_step():
    learner = trainer()
    steps = (event for event in fit(learner, batches, epochs=5) if isinstance(event, StepEvent))
    for i, event in enumerate(steps):
        assert event.lr == learner.optimizer.lr == SCHEDULE(i)
        assert learner.steps_done == i + 1
        assert learner.lr == SCHEDULE(i + 1)


def test_without_a_schedule_the_rate_is_the_optimizers():
    learner = trainer(schedule=None)
    for event in itertools.islice(fit(learner, batches, epochs=1), 2):
        assert event.lr == learner.lr == 1e-3
        assert learner.optimizer.lr == 1e-3
    learner.optimizer.lr = 0.5
    assert learner.lr == 0.5


def test_the_schedule_is_what_the_steps_obey():
    """With a rate of zero from the second step on, nothing moves any more."""
    learner = trainer(schedule=lambda step: 1e-2 if step == 0 else 0.0, decay=None)
    before = learner.net.fc1.weight.data.copy()
    learner.train_step(*next(batches(1)))
    after = learner.net.fc1.weight.data.copy()
    assert not np.array_equal(before, after)
    learner.train_step(*next(batches(1)))
    np.testing.assert_array_equal(learner.net.fc1.weight.data, after)


def test_evaluated_and_handed_out_are_the_averaged_weights():
    learner = trainer()
    list(fit(learner, batches, epochs=2))
    images, _ = next(batches(1))
    averaged = KeypointNet(20, (3, 4), (12,), padding=1, rng=1).eval()
    averaged.load_state_dict(learner.weights())
    assert not np.allclose(averaged.fc2.weight.data, learner.net.fc2.weight.data, atol=1e-5)
    before = copied(learner.state_dict())
    assert learner.evaluated_net is learner.average.net
    for mode in (False, True):  # mode of the network that learns; the averaged one is always in evaluation
        learner.train(mode)
        np.testing.assert_array_equal(learner.predict(images), averaged(images))
        same(learner.state_dict(), before)
    assert not np.allclose(learner.net(images), averaged(images), atol=1e-3)


def test_without_an_average_they_are_the_networks():
    learner = trainer(decay=None)
    list(fit(learner, batches, epochs=1))
    same(learner.weights(), learner.net.state_dict())
    learner.train(False)
    images, _ = next(batches(1))
    assert learner.evaluated_net is learner.net
    np.testing.assert_array_equal(learner.predict(images), learner.net(images))
    assert not [key for key in learner.state_dict() if key.startswith("average")]


def test_a_state_without_step_and_average_begins_them_anew():
    """Older versions saved such states."""
    old, learner = trainer(decay=None), trainer(seed=3)
    list(fit(old, batches, epochs=1))
    list(fit(learner, batches, epochs=1))
    state = {key: array for key, array in copied(old.state_dict()).items() if key != "step"}
    learner.load_state_dict(state)
    assert (learner.steps_done, learner.average.updates) == (0, 0)
    same(learner.weights(), old.weights())
    learner.train_step(*next(batches(1)))
    same(learner.weights(), learner.net.state_dict())  # the first update copies the weights


def test_a_state_with_an_average_loads_where_there_is_none():
    learner, plain = trainer(), trainer(seed=3, decay=None)
    list(fit(learner, batches, epochs=1))
    plain.load_state_dict(learner.state_dict())
    same(plain.weights(), learner.net.state_dict())


def spoiling(part, number):
    """A trainer whose last update of the first epoch makes one number NaN or infinite; every loss is finite."""
    learner = trainer()
    step = learner.train_step

    def train_step(images, targets):
        loss = step(images, targets)
        if learner.steps_done == 3:
            learner.state_dict()[part].reshape(-1)[-1] = number
        return loss

    learner.train_step = train_step
    return learner


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "part", ["net.fc1.weight", "net.conv1_bn.running_var", "optimizer.exp_avg_sq.2", "average.net.fc2.bias"]
)
def test_a_spoiled_last_update_of_an_epoch_is_noticed_before_its_event(part, number):
    events = fit(spoiling(part, number), batches, epochs=2, validate=lambda: pytest.fail("was validated"))
    steps = list(itertools.islice(events, 3))
    assert [type(event) for event in steps] == [StepEvent] * 3
    assert all(np.isfinite(event.loss) for event in steps)
    with pytest.raises(FloatingPointError, match=rf"{part} is no longer finite after epoch 1; lower the learning rate"):
        next(events)


def test_a_rate_that_is_far_too_high_is_noticed_by_the_end_of_the_epoch():
    """The loss of the only batch is finite; the weights after it are not."""
    net = Sequential(Linear(3, 2, rng=0))
    learner = Trainer(net, MSELoss("sum"), SGD(net.parameters(), lr=1e38))
    images = np.full((2, 3), 1e4, np.float32)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"net\.0\.weight is no longer finite"):
        list(fit(learner, lambda epoch: [(images, np.zeros((2, 2), np.float32))], epochs=1))


@pytest.mark.parametrize("rate", [np.nan, -1.0, np.inf])
def test_a_schedule_that_gives_no_rate_is_refused_before_anything_moves(rate):
    learner = trainer(schedule=lambda step: rate, decay=None)
    before = copied(learner.state_dict())
    with pytest.raises(ValueError, match="AdamW: lr must be"):
        learner.train_step(*next(batches(1)))
    same(learner.state_dict(), before)
    assert all(parameter.grad is None for parameter in learner.net.parameters())


def test_the_loss_of_an_epoch_is_the_mean_over_its_images():
    """With batches of 1, 4 and 2 images, the mean over batches would differ."""
    net = Sequential(Linear(3, 2, rng=0))
    learner = Trainer(net, MSELoss(), SGD(net.parameters(), lr=0.0))
    rng = np.random.default_rng(3)
    sizes = (1, 4, 2)
    given = [(rng.random((n, 3), np.float32), 10 * n * rng.random((n, 2), np.float32)) for n in sizes]
    *steps, epoch = fit(learner, lambda epoch: given, epochs=1)
    losses = [np.square(net(images) - targets).mean() for images, targets in given]
    assert [event.loss for event in steps] == pytest.approx(losses)
    assert epoch.train_loss == pytest.approx(np.average(losses, weights=sizes))
    assert epoch.train_loss != pytest.approx(np.mean(losses), rel=0.05)


def test_images_are_counted_in_the_whole_batch_if_processes_take_parts_of_it():
    """So one process may begin an epoch, and several end it."""
    *steps, epoch = fit(trainer(), batches, epochs=1, parts=3)
    assert [(step.images, step.progress.images) for step in steps] == [(12, 12), (12, 24), (12, 36)]
    *_, alone = fit(trainer(), batches, epochs=1)
    assert epoch.train_loss == pytest.approx(alone.train_loss)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_training_goes_on_within_an_epoch(steps, tmp_path):
    """Its last epoch has the same bits and the same mean loss, though the first batches are seen by another trainer."""
    whole, first, second = trainer(), trainer(), trainer(seed=5)
    *_, wanted = fit(whole, batches, epochs=2)
    for event in fit(first, batches, epochs=2):
        if isinstance(event, StepEvent) and (event.epoch, event.step) == (2, steps):
            break
    save_tensors(tmp_path / "state.safetensors", first.state_dict(), {})
    second.load_state_dict(load_tensors(tmp_path / "state.safetensors")[0])
    given = {1: [], 2: list(batches(2))[steps:]}
    *numbered, last = fit(second, given.__getitem__, epochs=2, start=event.progress)
    assert [step.step for step in numbered] == list(range(steps + 1, 4))
    assert last.train_loss == wanted.train_loss
    same(second.state_dict(), whole.state_dict())


def test_progress_counts_the_epoch_that_is_not_whole():
    net = Sequential(Linear(3, 2, rng=0))
    learner = Trainer(net, MSELoss(), SGD(net.parameters(), lr=0.0))
    given = [(np.ones((n, 3), np.float32), np.zeros((n, 2), np.float32)) for n in (1, 4, 2)]
    steps = [event for event in fit(learner, lambda epoch: given, epochs=2) if isinstance(event, StepEvent)]
    for event, images in zip(steps, [1, 5, 7, 1, 5, 7], strict=True):
        assert event.progress == Progress(
            event.epoch - 1, event.step, images, pytest.approx(images * event.loss), event.progress.seconds
        )
    assert steps[0].progress.seconds <= steps[1].progress.seconds <= steps[2].progress.seconds


def test_a_step_whose_loss_is_not_finite_changes_no_weight():
    learner = trainer(decay=None)
    list(fit(learner, batches, epochs=1))
    images, targets = next(batches(1))
    targets[0, 0] = np.nan
    before = copied(learner.net.state_dict())
    assert np.isnan(learner.train_step(images, targets))
    after = learner.net.state_dict()
    for name, _ in learner.net.named_parameters():
        np.testing.assert_array_equal(after[name], before[name])
    assert learner.steps_done == 3


def test_the_epoch_after_a_continued_one_begins_anew():
    net = Sequential(Linear(3, 2, rng=0))
    learner = Trainer(net, MSELoss(), SGD(net.parameters(), lr=0.0))
    batch = (np.ones((2, 3), np.float32), np.zeros((2, 2), np.float32))
    events = list(fit(learner, lambda epoch: [batch], epochs=3, start=Progress(1, 5, 10, 1000.0, 7.0)))
    assert [(event.epoch, event.step) for event in events if isinstance(event, StepEvent)] == [(2, 6), (3, 1)]
    assert events[2].progress.images == 2
    assert events[3].train_loss == pytest.approx(events[2].loss)


def test_an_epoch_without_a_batch_is_refused():
    given = {1: list(batches(1)), 2: []}
    with pytest.raises(ValueError, match="fit: epoch 2 has no batch"):
        list(fit(trainer(), given.__getitem__, epochs=2))


def test_validation_follows_each_epoch_in_evaluation_mode():
    learner, modes, losses = trainer(), [], iter([3.0, 2.0])

    def validate():
        modes.append({layer.training for layer in learner.net.modules()})
        return next(losses)

    events = list(fit(learner, batches, epochs=2, validate=validate))
    assert [event.validation_loss for event in events if not isinstance(event, StepEvent)] == [3.0, 2.0]
    assert modes == [{False}, {False}]
    *_, last = fit(trainer(), batches, epochs=1)
    assert last.validation_loss is None


def test_seconds_are_those_that_passed(monkeypatch):
    """By a clock that advances at each look: at an epoch's begin, before and after each step, at its end."""
    monkeypatch.setattr("numpynet.training.time.perf_counter", itertools.count(100.0).__next__)
    first, second, _, epoch = fit(trainer(), batches, epochs=1)
    assert (first.seconds, first.progress.seconds) == (1, 2)
    assert (second.seconds, second.progress.seconds) == (1, 4)
    assert epoch.seconds == 7
    *_, longer = fit(trainer(), batches, epochs=2, start=Progress(1, 1, 4, 1.0, 50.0))
    assert longer.seconds == 57


def test_each_dropout_keeps_its_own_generator():
    def learner(seed):
        layers = [Linear(3, 3, rng=0), Dropout(0.5, rng=seed), Linear(3, 2, rng=0), Dropout(0.5, rng=seed + 1)]
        net = Sequential(*layers)
        return Trainer(net, MSELoss(), SGD(net.parameters(), lr=0.0))

    one, two = learner(1), learner(7)
    state = one.state_dict()
    assert [key for key in state if key.startswith("rng.")] == ["rng.0", "rng.1"]
    assert state["rng.1"].tobytes() == saved_generator(one.net.path()[3].rng).tobytes()
    two.load_state_dict(state)
    same(two.state_dict(), state)
