"""Each of several threads takes a part of a batch. Together they find the gradients of the whole batch."""

import numpy as np
import pytest

from numpynet import Adam, HourglassNet, KeypointNet, fuse, use
from numpynet.averaging import WeightAverage
from numpynet.layers import BatchNorm1d, BatchNorm2d, Dropout, Linear, ReLU
from numpynet.losses import SmoothL1Loss
from numpynet.module import Sequential
from numpynet.optim import SGD
from numpynet.parallel import DataParallel, ParallelTrainer, SyncBatchNorm2d, synchronised
from numpynet.training import Trainer
from tests.parallel.threads import together


def keypoint_net():
    return KeypointNet(16, (4, 8), (12,), padding=1, dropout=0, rng=3)


def hourglass():
    return HourglassNet(16, (3,), (4, 5, 6), rng=3)


def wide():
    """Large enough for the fast Linear to keep its gradient as factors."""
    return Sequential(Linear(1024, 1024, rng=3), BatchNorm1d(1024), ReLU(), Linear(1024, 136, rng=4))


def twice():
    """One layer that stands in the network two times."""
    same = Linear(136, 136, rng=3)
    return Sequential(same, ReLU(), same)


SHAPES = {keypoint_net: (1, 16, 16), hourglass: (1, 16, 16), wide: (1024,), twice: (136,)}
BATCH = 8


def batch_for(make, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((BATCH, *SHAPES[make])).astype(dtype), rng.standard_normal((BATCH, 136)).astype(dtype)


def gradients(net, images, targets):
    """The loss and all gradients, which are forgotten afterwards."""
    out, cache = net.forward(images)
    loss, dout = SmoothL1Loss()(out, targets)
    net.backward(dout, cache)
    found = {name: np.array(parameter.grad) for name, parameter in net.named_parameters()}
    net.zero_grad()
    return loss, found


def part(array, group):
    return np.split(array, group.size)[group.rank]


def difference(one, other):
    """The largest difference of two dicts of arrays, relative to the largest number of each array."""
    assert one.keys() == other.keys()
    return max(np.abs(one[key] - other[key]).max() / max(np.abs(one[key]).max(), 1e-3) for key in one)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("make", SHAPES)
def test_readable_gradients_are_those_of_the_whole_batch(make, size):
    net = make().astype(np.float64)
    batches = [batch_for(make, np.float64, seed) for seed in range(3)]
    wanted = [gradients(net, *batch)[1] for batch in batches]

    def work(group):
        own = DataParallel(synchronised(make().astype(np.float64), group), group)
        return [gradients(own, *(part(array, group) for array in batch))[1] for batch in batches], own.state_dict()

    for found, state in together(size, work):
        for one, other in zip(wanted, found, strict=True):  # the first backward pass, and those that overlap
            assert difference(one, other) < 1e-9
        assert difference(net.state_dict(), state) < 1e-9  # the running statistics, too


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("make", SHAPES)
def test_fast_gradients_are_those_of_the_whole_batch(make, size):
    with use("fast"):
        net = fuse(make())
        batches = [batch_for(make, np.float32, seed) for seed in range(3)]
        wanted = [gradients(net, *batch)[1] for batch in batches]

        def work(group):
            own = DataParallel(fuse(synchronised(make(), group)), group)
            return [gradients(own, *(part(array, group) for array in batch))[1] for batch in batches], group.log

        for found, log in together(size, work):
            for one, other in zip(wanted, found, strict=True):
                assert difference(one, other) < 2e-4
            assert ("gather" in log) == (make is wide)


def test_a_batch_norm_that_sees_its_part_only_finds_other_gradients():
    """The tolerances above would notice it. Its running statistics are the mean of those of all parts."""
    images, targets = batch_for(keypoint_net, np.float64)
    net = keypoint_net().astype(np.float64)
    _, wanted = gradients(net, images, targets)

    def work(group):
        own = DataParallel(keypoint_net().astype(np.float64), group)
        return gradients(own, part(images, group), part(targets, group))[1], own.state_dict()

    (one, state), (two, other) = together(2, work)
    assert difference(wanted, one) > 0.01
    assert difference(one, two) == 0
    assert difference(state, other) == 0
    # Parts of one size: the mean of their means is the mean of the whole, but not so the variances.
    np.testing.assert_allclose(state["conv1_bn.running_mean"], net.conv1_bn.running_mean, rtol=1e-9)
    assert not np.allclose(state["conv1_bn.running_var"], net.conv1_bn.running_var, rtol=1e-9)


def test_gradients_are_sent_while_the_backward_pass_goes_on(monkeypatch):
    monkeypatch.setattr("numpynet.parallel.data_parallel.BUCKET", 1)
    images, targets = batch_for(keypoint_net, np.float32)

    def work(group):
        net = keypoint_net()
        last = net.conv1.backward
        net.conv1.backward = lambda dout, cache: group.log.append("conv1") or last(dout, cache)
        own = DataParallel(net, group)
        for _ in range(2):
            group.log.append("backward")
            gradients(own, part(images, group), part(targets, group))
        return group.log, len(own.parameters())

    for log, count in together(2, work):
        begin = log.index("backward", 1)
        first, second = log[1:begin], log[begin + 1 :]
        assert first == ["conv1"] + ["sum"] * count  # its order was not known yet
        assert second == ["sum"] * (count - 2) + ["conv1"] + ["sum"] * 2  # all but conv1's own weight and bias


def test_a_gradient_that_was_not_forgotten_is_an_error():
    def work(group):
        own = DataParallel(twice(), group)
        own.net.parameters()[0].add_grad(np.zeros((136, 136), np.float32))
        with pytest.raises(ValueError, match="zero_grad"):
            own.backward(np.zeros((2, 136), np.float32), [])

    together(1, work)


@pytest.mark.parametrize("ops", ["readable", "fast"])
def test_steps_follow_those_of_one_process(ops):
    """With weight average and Adam, which amplifies the smallest differences where a gradient is near 0."""
    batches = [batch_for(hourglass, np.float32, seed) for seed in range(6)]

    def trainer(kind, group=None, *more):
        net = hourglass()
        net = fuse(synchronised(net, group) if group else net)
        average = WeightAverage(net, 0.9)
        return kind(net, SmoothL1Loss(), Adam(net.parameters(), 1e-3), None, average, *more)

    with use(ops):
        alone = trainer(Trainer)
        wanted = [alone.train_step(*batch) for batch in batches]

        def work(group):
            own = trainer(ParallelTrainer, group, group)
            losses = [own.train_step(*(part(array, group) for array in batch)) for batch in batches]
            return losses, own.weights()

        for losses, weights in together(2, work):
            np.testing.assert_allclose(losses, wanted, rtol=2e-5)
            assert difference(alone.weights(), weights) < 1e-3


def test_each_process_draws_other_masks_and_a_resumed_one_the_same_again():
    def work(group):
        net = Sequential(Linear(136, 136, rng=0), Dropout(0.5, rng=7))
        trainer = ParallelTrainer(net, SmoothL1Loss(), SGD(net.parameters(), 0.1), None, None, group)
        images = np.ones((2, 136), np.float32)
        trainer.train_step(images, images)
        state = {key: np.array(array) for key, array in trainer.state_dict().items()}
        group.meeting.arrays[group.rank] = state
        group.barrier()
        first = group.meeting.arrays[0]  # process 0 saves
        group.barrier()
        drawn = net.forward(images)[0]
        trainer.load_state_dict(first)
        return drawn, net.forward(images)[0]

    (one, one_again), (two, two_again) = together(2, work)
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(one, one_again)
    np.testing.assert_array_equal(two, two_again)


def test_in_evaluation_nothing_is_sent():
    class Nobody:
        rank, size = 0, 2

    net = synchronised(keypoint_net(), Nobody()).eval()
    assert isinstance(net.conv1_bn, SyncBatchNorm2d)
    x = batch_for(keypoint_net, np.float32)[0]
    np.testing.assert_array_equal(net(x), keypoint_net().eval()(x))


def test_only_batch_norms_of_the_library_are_replaced():
    class Own(BatchNorm2d):
        """A layer of the user's."""

    net = Sequential(Own(3), BatchNorm2d(3))
    synchronised(net, None)
    assert [type(layer) for layer in net.path()] == [Own, SyncBatchNorm2d]
