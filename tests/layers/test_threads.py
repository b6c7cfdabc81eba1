"""One loaded network in many threads: each gets, bit for bit, what it would get alone."""

import threading

import numpy as np
import pytest

from numpynet.fuse import fuse
from numpynet.models import FinderNet, HourglassNet, KeypointNet
from numpynet.workers import set_threads

THREADS = 8
ROUNDS = 3

NETS = {
    "KeypointNet": lambda: KeypointNet(48, (4, 8), (16,), rng=0),
    "HourglassNet": lambda: HourglassNet(32, (4,), (8, 16), rng=0),
    "FinderNet": lambda: FinderNet(32, (4, 8), (8, 8), rng=0),
}


@pytest.fixture(autouse=True, params=[1, 2])
def pool(request):
    """The threads that kernels share their work among."""
    set_threads(request.param)
    yield
    set_threads(None)


def side_by_side(compute, inputs):
    """compute(x) of every input several times, each input in a thread of its own, all begun at once; whatever fails."""
    begin, found, failed = threading.Barrier(len(inputs)), [[] for _ in inputs], []

    def run(number):
        begin.wait(60)
        try:
            for _ in range(ROUNDS):
                found[number].append(np.array(compute(inputs[number])))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []
    return found


@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
@pytest.mark.parametrize("name", NETS)
def test_each_thread_gets_the_outputs_of_its_own_pictures(name, fused):
    plain = NETS[name]()
    plain.eval()
    net, side = fuse(plain) if fused else plain, plain.arguments["size"]
    rng = np.random.default_rng(1)
    # Some batches have the same size, and could get each other's memory.
    inputs = [rng.standard_normal((1 + i % 5, 1, side, side), np.float32) for i in range(THREADS)]
    alone = [np.array(net(x)) for x in inputs]
    assert len({out[0].tobytes() for out in alone}) == THREADS
    for number, outputs in enumerate(side_by_side(net, inputs)):
        assert len(outputs) == ROUNDS
        for out in outputs:
            np.testing.assert_array_equal(out, alone[number])


def test_a_network_that_kept_its_input_would_be_noticed():
    meeting = threading.Barrier(THREADS, timeout=60)

    class Forgetful:
        def __call__(self, x):
            self.x = x
            meeting.wait()  # until all threads have stored theirs
            out = self.x.sum()
            meeting.wait()
            return out

    found = side_by_side(Forgetful(), [np.full(3, i) for i in range(THREADS)])
    assert len({float(out) for outputs in found for out in outputs[:1]}) == 1  # all got the same one's answer
