"""The line of photos: first come, first served; each is told the place and the time; nobody waits for who has left."""

import threading
from contextlib import ExitStack

import pytest

from fkp_app.web import line as line_module
from fkp_app.web.line import Line, Place
from fkp_app.web.result_view import waiting


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def enter():
    """`enter(line)` takes a place in a line: the context that gives it up, and the iterator."""
    taken = []

    def one(line):
        context = ExitStack()
        taken.append(context)
        return context, context.enter_context(line.place())

    yield one
    for context in taken:
        context.close()


@pytest.mark.parametrize("at_once", [1, 3])
def test_those_for_whom_there_is_room_do_not_wait_and_the_next_one_does(enter, at_once):
    line = Line(at_once)
    inside = [enter(line) for _ in range(at_once)]
    for _, places in inside:
        assert list(places) == []
    last, places = enter(line)
    assert next(places) == Place(at_once, None)
    inside[0][0].close()
    assert list(places) == []
    last.close()


def test_everybody_comes_in_in_the_order_in_which_they_came(enter):
    line, order, ready = Line(1), [], threading.Semaphore(0)
    first, places = enter(line)
    assert list(places) == []

    def visitor(number):
        with line.place() as own:
            for place in own:
                if place.before == number:
                    ready.release()
            order.append(number)

    visitors = []
    for number in range(1, 9):
        visitors.append(threading.Thread(target=visitor, args=(number,)))
        visitors[-1].start()
        assert ready.acquire(timeout=20)  # this one stands in line before the next comes
    first.close()
    for thread in visitors:
        thread.join(20)
    assert order == list(range(1, 9))


def test_the_time_is_the_number_of_photos_times_the_mean_time_of_one(enter):
    clock = Clock()
    line = Line(1, clock)
    for seconds in (4.0, 9.0):  # the mean begins with the first, and each later one moves it by a fifth
        with line.place() as places:
            assert list(places) == []
            clock.now += seconds
        clock.now += 1000  # nobody was there: this time counts for nothing
    inside, places = enter(line)
    assert list(places) == []
    seconds = []
    for before in (1, 2):
        place = next(enter(line)[1])
        assert place.before == before
        seconds.append(place.seconds)
    assert seconds == pytest.approx([2 * 5.0, 3 * 5.0])
    inside.close()


def test_with_several_at_once_the_time_is_that_between_two_ends(enter):
    """Three photos that begin together and end after 3, 4 and 5 seconds: while others wait, one ends each second."""
    clock = Clock()
    line = Line(3, clock)
    inside = [enter(line) for _ in range(3)]
    for _, places in inside:
        assert list(places) == []
    clock.now += 3
    for context, _ in inside:
        context.close()
        clock.now += 1
    busy = [enter(line) for _ in range(3)]
    for _, places in busy:
        assert list(places) == []
    assert next(enter(line)[1]).seconds == pytest.approx(4 * ((3 * 0.8 + 0.2) * 0.8 + 0.2))


def test_who_leaves_the_line_is_no_longer_before_the_others(enter):
    line = Line(1)
    inside, places = enter(line)
    assert list(places) == []
    impatient, last = enter(line), enter(line)
    assert next(impatient[1]).before == 1
    assert next(last[1]).before == 2
    impatient[0].close()
    assert next(last[1]).before == 1
    inside.close()
    assert list(last[1]) == []


def test_who_waits_is_heard_again_even_if_nothing_changes(enter, monkeypatch):
    """The page then looks whether the visitor has left."""
    monkeypatch.setattr(line_module, "LOOK_AGAIN", 0.01)
    line = Line(1)
    inside, places = enter(line)
    assert list(places) == []
    _, places = enter(line)
    assert [next(places), next(places)] == [Place(1, None)] * 2
    inside.close()


def test_an_error_in_the_work_gives_the_place_to_the_next():
    line = Line(1)

    def fails():
        with line.place() as places:
            assert list(places) == []
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with line.place() as places:
        assert list(places) == []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place(1, None), "1 photo is before yours."),
        (Place(1, 0.2), "1 photo is before yours: about 1 second."),
        (Place(12, 8.4), "12 photos are before yours: about 8 seconds."),
    ],
)
def test_the_page_says_it_in_words(place, words):
    assert waiting(place) == words
