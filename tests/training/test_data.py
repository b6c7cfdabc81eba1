"""The loader yields each sample once, in the generator's order, with or without a background thread."""

import threading

import numpy as np
import pytest

from numpynet.data import DataLoader


class Numbers:
    """Sample i is an image and a target full of i; records the threads that ask for samples."""

    def __init__(self, length, fail_at=None):
        self.length, self.fail_at, self.threads = length, fail_at, set()

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.threads.add(threading.current_thread().name)
        if index == self.fail_at:
            raise RuntimeError("bad sample")
        return np.full((1, 2, 2), index, np.float32), np.full(3, index, np.float32)


def numbers(loader):
    batches = list(loader)
    for images, targets in batches:
        assert images.shape[1:] == (1, 2, 2)
        assert targets.shape == (len(images), 3)
        np.testing.assert_array_equal(images[:, 0, 0, 0], targets[:, 0])
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


def test_shuffling_is_the_generators_and_new_each_time():
    loader = DataLoader(Numbers(50), 50, shuffle=True, rng=5)
    (first,), (second,) = numbers(loader), numbers(loader)
    assert sorted(first) == list(range(50))
    assert first != second
    assert first != list(range(50))
    assert numbers(DataLoader(Numbers(50), 50, shuffle=True, rng=5, prefetch=0)) == [first]


def test_prefetching_happens_in_the_background_and_ends_with_the_loop():
    dataset = Numbers(100)
    for _ in DataLoader(dataset, 1, prefetch=2):
        break
    assert dataset.threads == {"loader_0"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


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
