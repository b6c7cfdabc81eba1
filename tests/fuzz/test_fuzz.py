"""A few changed files for each reader, always the same; and the fuzzer itself, which must find planted faults."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.__main__ import Tally, try_for
from tests.fuzz.child import Child
from tests.fuzz.kinds import READERS
from tests.fuzz.planted import PLANTED


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    with Child(tmp_path_factory.mktemp("files")) as process:
        yield process


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_gives_a_result_or_the_documented_error(name, child):
    if name == "onnx":
        pytest.importorskip("onnx", reason="the package onnx is not installed (the extra `onnx`)")
    reader = READERS[name]
    seen = Tally()

    @settings(
        max_examples=reader.few,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(reader.changed())
    def one(case):
        outcome = child.read(reader, case)
        seen.add(outcome, case)
        assert not outcome.fault, f"{outcome.kind}: {outcome.text}"

    one()
    assert seen.kinds["refused"] > reader.few // 10  # else the changes change nothing


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("error", "error", "KeyError"),
        ("lines", "error", "no short line"),
        ("crash", "crash", "ended with -11"),
        ("hang", "hang", "more than 2 seconds"),
        ("memory", "memory", "and 50 are allowed"),
        ("pieces", "memory", "and 50 are allowed"),
        ("no memory", "memory", "more memory than there is"),
    ],
)
def test_a_planted_fault_is_found_and_the_next_file_is_read(name, kind, words, child):
    changed = {"file": b"changed"}
    outcome = child.read(PLANTED[name], changed)
    assert (outcome.kind, outcome.fault) == (kind, True)
    assert words in outcome.text
    assert child.read(PLANTED["sound"], changed).kind == "refused"
    assert child.read(PLANTED["sound"], PLANTED["sound"].cases()[0]).kind == "read"


def test_memory_that_a_file_has_taken_does_not_hide_what_the_next_takes(child):
    for data in (b"one", b"two", b"three"):
        outcome = child.read(PLANTED["pieces"], {"file": data})
        assert outcome.kind == "memory"
        assert outcome.peak > 80


def test_a_valid_file_that_is_refused_is_a_mistake_of_the_fuzzer(child):
    with pytest.raises(AssertionError, match="a valid file is refused"):
        child.read(PLANTED["invalid seed"], {"file": b""})


def test_the_long_run_counts_what_it_tries(child):
    tally = try_for(0.5, PLANTED["sound"], child, seed=0)
    assert tally.kinds.keys() <= {"read", "refused"}
    assert tally.kinds["refused"] > 5
    assert not tally.first
    assert tally.row("sound").split()[:2] == ["sound", str(tally.kinds.total())]
    faulty = try_for(0.5, PLANTED["error"], child, seed=0)
    assert faulty.kinds["error"] > 5
    assert [kind for kind, _ in faulty.first] == ["error"]
