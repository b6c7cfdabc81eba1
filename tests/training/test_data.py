"""The loader yields each sample once, in the generator's order, with or without a background thread."""

import itertools
import threading
import time

import numpy as np
import pytest

from numpynet.data import DataLoader, stack
from numpynet.training_state import saved_generator


class Numbers:
    """Sample i is an image and a target of i, i + 1 and so on; records the threads that ask for samples."""

    def __init__(self, length, fail_at=None):
        self.length, self.fail_at, self.threads, self.asked = length, fail_at, set(), 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.threads.add(threading.current_thread().name)
        self.asked += 1
        if index == self.fail_at:
            raise RuntimeError("bad sample")
        return np.arange(index, index + 4, dtype=np.float32).reshape(1, 2, 2), np.arange(index, index + 3.0)


def numbers(loader):
    batches = list(loader)
    for images, targets in batches:
        assert images.shape[1:] == (1, 2, 2)
        assert targets.shape == (len(images), 3)
        np.testing.assert_array_equal(images[:, 0, 0, 0], targets[:, 0])
        np.testing.assert_array_equal(
            images[:, 0].reshape(-1, 4) - images[:, 0, :1, 0], np.tile(range(4), (len(images), 1))
        )
        np.testing.assert_array_equal(targets - targets[:, :1], np.tile(range(3), (len(images), 1)))
    return [targets[:, 0].astype(int).tolist() for _, targets in batches]


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_batches_in_order(prefetch):
    loader = DataLoader(Numbers(7), 3, prefetch=prefetch)
    assert numbers(loader) == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(loader) == 3


def test_drop_last():
    loader = DataLoader(Numbers(7), 3, drop_last=True)
    assert numbers(loader) == [[0, 1, 2], [3, 4, 5]]
    assert len(loader) == 2
    whole = DataLoader(Numbers(6), 3, drop_last=True)
    assert numbers(whole) == [[0, 1, 2], [3, 4, 5]]
    assert len(whole) == len(DataLoader(Numbers(6), 3)) == 2


def test_shuffling_is_the_generators_and_new_each_time():
    loader = DataLoader(Numbers(50), 50, shuffle=True, rng=5)
    (first,), (second,) = numbers(loader), numbers(loader)
    assert sorted(first) == list(range(50))
    assert first != second
    assert first != list(range(50))
    assert numbers(DataLoader(Numbers(50), 50, shuffle=True, rng=5, prefetch=0)) == [first]


def test_prefetching_happens_in_the_background_and_ends_with_the_loop():
    before = set(threading.enumerate())
    dataset = Numbers(100)
    for _ in DataLoader(dataset, 1, prefetch=2):
        break
    assert dataset.threads == {"loader_0"}
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(("prefetch", "asked"), [(0, 2), (1, 3), (2, 4)])
def test_so_many_batches_are_prepared_ahead(prefetch, asked):
    """After the second batch: those given, and `prefetch` more."""
    dataset, deadline = Numbers(20), time.monotonic() + 20
    batches = iter(DataLoader(dataset, 1, prefetch=prefetch))
    next(batches), next(batches)
    while dataset.asked < asked and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)  # one more would be asked for by now
    assert dataset.asked == asked
    batches.close()
    assert dataset.threads == ({"loader_0"} if prefetch else {threading.current_thread().name})


def test_the_thread_has_ended_when_the_loop_has():
    """It finishes the sample that it is in, and begins no other."""

    class Waiting(Numbers):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            assert not index or go_on.wait(60)
            return sample

    before = set(threading.enumerate())
    dataset, go_on = Waiting(20), threading.Event()
    batches = iter(DataLoader(dataset, 1, prefetch=3))
    next(batches)
    timer = threading.Timer(0.3, go_on.set)
    timer.start()
    batches.close()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("loader")]
    assert dataset.asked <= 2
    timer.join()


def test_pairs_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="zip"):
        stack([(1, 2), (3,)])


def test_the_second_iteration_begins_anew_and_each_generator_keeps_its_place():
    first, second = np.random.default_rng(1), np.random.default_rng(2)
    loader = DataLoader(Numbers(4), 2, generators=[first, second])
    assert [saved_generator(rng).tobytes() for rng in (first, second)] == states(loader)
    assert numbers(loader) == numbers(loader) == [[0, 1], [2, 3]]
    first.random()
    list(loader)
    assert [saved_generator(rng).tobytes() for rng in (first, second)] == states(loader)


def states(loader):
    state = loader.state_dict()
    assert set(state) == {"position", "rng.order", "rng.0", "rng.1"}
    return [state["rng.0"].tobytes(), state["rng.1"].tobytes()]


def test_an_error_in_the_background_reaches_the_loop():
    with pytest.raises(RuntimeError, match="bad sample"):
        list(DataLoader(Numbers(9, fail_at=5), 2))


def test_batch_size_is_checked():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        DataLoader(Numbers(3), 0)


def test_a_function_of_the_application_makes_the_batches_of_its_samples():
    words = ["a", "bc", "def", "ghij", "k"]
    loader = DataLoader(words, 2, collate_fn=lambda samples: (np.array(samples), np.array([len(s) for s in samples])))
    assert [(images.tolist(), targets.tolist()) for images, targets in loader] == [
        (["a", "bc"], [1, 2]),
        (["def", "ghij"], [3, 4]),
        (["k"], [1]),
    ]


# A loader that goes on where another one stopped


class Jittered(Numbers):
    """Each sample adds a random number, as a random transform does."""

    def __init__(self, length, rng):
        super().__init__(length)
        self.rng = rng

    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        return image, target + self.rng.random(3, np.float32) / 2


def jittered(seed, batch_size=3, prefetch=2, **options):
    rng = np.random.default_rng(seed)
    data = Jittered(11, rng)
    return DataLoader(data, batch_size, shuffle=True, rng=seed + 1, prefetch=prefetch, generators=[rng], **options)


def targets(loader):
    return [given.copy() for _, given in loader]


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("given", [0, 1, 2, 3, 4])
def test_a_loader_goes_on_after_any_batch(given, drop_last, prefetch):
    """However far the background thread is ahead."""
    wanted = targets(jittered(5, prefetch=0, drop_last=drop_last))
    stopped = jittered(5, prefetch=prefetch, drop_last=drop_last)
    first = [batch for _, batch in zip(range(given), stopped, strict=False)]
    state = stopped.state_dict()
    other = jittered(77, prefetch=prefetch, drop_last=drop_last)
    other.load_state_dict(state)
    for got, expected in zip([batch for _, batch in first] + targets(other), wanted, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(targets(other)) == len(wanted)  # the iteration after it is a whole one


def test_a_loaders_state_is_that_after_the_last_batch_that_was_given():
    loader = jittered(5)
    at = [(int(loader.state_dict()["position"]), len(given)) for _, given in loader]
    assert at == [(3, 3), (6, 3), (9, 3), (11, 2)]
    before = jittered(5)
    state = before.state_dict()
    assert state.keys() == {"position", "rng.order", "rng.0"}
    assert state["position"] == 0


def test_the_rest_is_divided_anew_for_another_batch_size():
    wanted = np.concatenate(targets(jittered(5)))
    loader = jittered(5)
    next(iter(loader))
    other = jittered(5, batch_size=5)
    other.load_state_dict(loader.state_dict())
    rest = targets(other)
    assert [len(batch) for batch in rest] == [5, 3]
    np.testing.assert_array_equal(np.concatenate(rest), wanted[3:])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"position": None}, "missing position"),
        ({"rng.0": None}, r"missing rng\.0"),
        ({"rng.order": None}, r"missing rng\.order"),
        ({"position": np.array(-1)}, "position must be at least 0"),
        ({"rng.order": np.zeros(4, np.uint8)}, r"rng\.order is not the state of a PCG64"),
        ({"rng.0": np.frombuffer(b"{}", np.uint8)}, r"rng\.0 is not the state of a PCG64"),
    ],
)
def test_a_loaders_damaged_state_changes_nothing(changes, words):
    loader = jittered(5)
    next(iter(loader))
    state = loader.state_dict() | changes
    other = jittered(8)
    with pytest.raises(ValueError, match=words):
        other.load_state_dict({key: array for key, array in state.items() if array is not None})
    for got, expected in zip(targets(other), targets(jittered(8)), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_the_parts_of_a_batch_make_the_batch(parts):
    def loader(part):
        return DataLoader(Numbers(19), 8, shuffle=True, rng=5, drop_last=True, part=part)

    own = [numbers(loader((i, parts))) for i in range(parts)]
    assert [[*itertools.chain(*batch)] for batch in zip(*own, strict=True)] == numbers(loader((0, 1)))
    assert len(loader((0, parts))) == 2


@pytest.mark.parametrize(
    ("part", "batch_size", "drop_last"),
    [((2, 2), 8, True), ((-1, 2), 8, True), ((0, 3), 8, True), ((0, 2), 8, False), ((0, 0), 8, True)],
)
def test_a_part_must_exist_and_all_must_be_equal(part, batch_size, drop_last):
    with pytest.raises(ValueError, match="part"):
        DataLoader(Numbers(20), batch_size, drop_last=drop_last, part=part)
