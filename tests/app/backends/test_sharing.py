"""Cores: commands divide crops among threads in order, each matrix product uses one thread; the API changes nothing."""

import threading

import cv2
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fkp_app.backends import predictor as backends
from fkp_app.backends.predictor import get_predictor
from fkp_app.backends.sharing import PARTS, shared
from fkp_app.errors import UsageError
from fkp_app.media.video.ahead import ahead
from numpynet.workers import get_threads, set_threads


@pytest.fixture(autouse=True)
def as_it_was():
    """BLAS starts with two threads, if it supports them; a test's changes to the process are undone."""
    opencv = cv2.getNumThreads()
    with threadpool_limits(limits=2):
        yield
    set_threads(None)
    cv2.setNumThreads(opencv)


def blas():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def crops(count, size=96):
    return np.random.default_rng(1).random((count, 1, size, size), np.float32)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 20])
def test_every_crop_gets_its_own_outputs_in_order(threads, count):
    set_threads(threads)
    images = np.arange(count, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    out = shared(lambda part: np.stack([part.sum(axis=1), -part[:, 0]], axis=1))(images)
    np.testing.assert_array_equal(out, np.stack([3.0 * np.arange(count), -np.arange(count)], axis=1))


def test_the_crops_are_handed_to_several_threads():
    """Two parts that wait for each other end only if they run at the same time."""
    set_threads(2)
    meeting = threading.Barrier(2, timeout=20)

    def forward(part):
        meeting.wait()
        return part

    assert len(shared(forward)(np.zeros((2 * PARTS, 1)))) == 2 * PARTS


def test_one_thread_gets_the_whole_batch():
    set_threads(1)
    seen = []
    shared(lambda part: seen.append(len(part)) or part)(np.zeros((9, 1)))
    assert seen == [9]


def test_what_a_part_raises_comes_out():
    def forward(part):
        raise FloatingPointError("here")

    set_threads(2)
    with pytest.raises(FloatingPointError, match="here"):
        shared(forward)(np.zeros((4, 1)))


@pytest.mark.parametrize("backend", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
def test_a_commands_process_runs_each_product_on_one_thread(backend):
    alone = get_predictor(backend)
    assert blas() == {2}  # the API changes nothing
    expected = alone(crops(5))
    set_threads(2)
    predictor = get_predictor(backend, threads=2, own_process=True)
    assert blas() == {1}
    assert get_threads() == 2
    np.testing.assert_allclose(predictor(crops(5)), expected, atol=1e-5)
    if backend == "torch":
        import torch

        assert torch.get_num_threads() == 1


@pytest.mark.parametrize("own_process", [False, True])
@pytest.mark.parametrize("backend", ["numpy", "onnx", pytest.param("torch", marks=pytest.mark.torch)])
def test_one_predictor_gives_each_of_eight_threads_its_own_outputs(backend, own_process):
    predictor = get_predictor(backend, own_process=own_process)
    inputs = list(np.random.default_rng(2).random((8, 3, 1, 96, 96), np.float32))
    alone, begin, found = [predictor(one) for one in inputs], threading.Barrier(8), [None] * 8

    def look(number):
        begin.wait(60)
        found[number] = [predictor(inputs[number]) for _ in range(3)]

    threads = [threading.Thread(target=look, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # PyTorch's sums depend on how many threads share the work, and that on what else runs: a last digit differs now and
    # then, by up to 1.2e-7. Another thread's output would differ by 0.1 or more.
    atol = 1e-6 if backend == "torch" else 0
    for number in range(8):
        np.testing.assert_allclose(found[number], [alone[number]] * 3, rtol=0, atol=atol)


def test_the_requested_number_of_threads():
    for threads in (1, 3):
        get_predictor(threads=threads, own_process=True)
        assert get_threads() == threads
    for threads in (0, -1):
        with pytest.raises(UsageError, match=f"--threads must be at least 1, got {threads}"):
            get_predictor(threads=threads, own_process=True)


def test_the_commands_say_that_the_process_is_theirs(fkp, tmp_path, monkeypatch):
    asked = []
    load = backends.get_predictor

    def spy(*arguments, **options):
        asked.append(options.get("own_process"))
        return load(*arguments, **options)

    monkeypatch.setattr("fkp_app.faces.finder.get_predictor", spy)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    assert fkp("detect", tmp_path / "a.png").code == 0
    assert fkp("filter", tmp_path / "a.png", "--out", tmp_path / "out").code == 0
    assert fkp("demo", "--out", tmp_path / "demo").code == 0
    assert asked == [True, True, True]


def test_the_library_changes_no_thread_of_the_process():
    from fkp_app import detect
    from fkp_app.commands.demo import sample_photo

    before = threadpool_info(), get_threads(), cv2.getNumThreads()
    assert len(detect(sample_photo())) == 1
    assert (threadpool_info(), get_threads(), cv2.getNumThreads()) == before


def test_ahead_gives_the_same_items_and_makes_one_meanwhile():
    made, second = [], threading.Event()

    def items():
        for i in range(4):
            made.append(i)
            if i == 1:
                second.set()
            yield i

    coming = ahead(items())
    assert next(coming) == 0
    assert second.wait(20)  # the second was begun before it was requested
    assert made == [0, 1]  # the third was not
    assert list(coming) == [1, 2, 3]


@pytest.mark.parametrize("good", [0, 1, 3])
def test_ahead_raises_what_the_items_raise_in_its_place(good):
    def items():
        yield from range(good)
        raise ZeroDivisionError("items")

    coming = ahead(items())
    assert [next(coming) for _ in range(good)] == list(range(good))
    with pytest.raises(ZeroDivisionError, match="items"):
        next(coming)


def test_ahead_closed_early_ends_its_thread_and_closes_nothing_else():
    before = threading.active_count()
    coming = ahead(iter(range(100)))
    assert next(coming) == 0
    coming.close()
    assert threading.active_count() == before
    assert list(ahead([])) == []
