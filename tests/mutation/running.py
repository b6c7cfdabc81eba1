"""Mutants and their tests in forks of one process that has loaded everything.

pytest collects the tests once. A first pass runs each test without any mutant and notes which functions it calls. Then
each mutant has a fork of its own: the mutated function gets other code, in place, wherever it is known by which name;
its tests run until one fails. Those that killed mutants of the same function go first, then the most specific ones.
What these let live, without a reason, is judged by all others.
"""

import ast
import gc
import hashlib
import itertools
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from numpynet.learn.lessons.mutants import Mutant, mutants
from tests.mutation.forks import in_forks
from tests.mutation.loaded import Target

SHARE = 0.08
"""The tests that judge a mutant first may take this share of the time that all tests take: the most specific ones that
call it. All others that call it judge what these let live."""

SECONDS = 3.0
"""Processor time that a test may take, besides twenty times what it takes without a mutant: more is an endless loop."""

WAIT = 90
"""Seconds by the clock after which a mutant hangs."""

WAIT_FOR_ALL = 1200
"""The same, if all tests judge a mutant."""

MEMORY = 4 << 30
"""How many bytes more than this process has a mutant may ask for."""

PIECES = 16
"""The first pass cuts the tests into this many pieces per worker: slow tests stand side by side in one file."""

REACHED = "_reached_by_the_test"


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant: killed (by a test), hung, crashed (the process) or survived."""

    module: str
    function: str
    change: str
    line: int
    mark: str
    outcome: str
    by: str = ""


@dataclass
class Report:
    """What one test did without any mutant."""

    seconds: float
    reached: list[str]
    failed: bool


@dataclass(frozen=True)
class Job:
    """One mutant: the tests that judge it first, those that judge it if it lives, and which tests killed its like."""

    target: Target
    mutant: Mutant
    mark: str
    kills: Counter[int]
    first: list[int]
    others: list[int]


class Judges:
    """A plugin of pytest: instead of running the collected tests once it runs them for every mutant."""

    def __init__(
        self,
        targets: list[Target],
        workers: int,
        done: dict[str, Verdict],
        tell: Callable[[Verdict, int, int], None],
        explained: Callable[[Verdict], bool],
    ) -> None:
        self.targets, self.workers, self.done, self.tell, self.explained = targets, workers, done, tell, explained
        self.verdicts: list[Verdict] = []
        self.problem = ""
        self.failed = False
        self.items: list[pytest.Item] = []
        self.reports: list[Report] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a failure."""
        self.failed |= report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All of the run."""
        self.items = session.items
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # one for all forks
        gc.collect()
        gc.freeze()
        if session.testsfailed or not self.items:
            self.problem = "the tests could not be collected"
        elif all(mark in self.done for target in self.targets for _, mark in marked(target)):
            self.verdicts = [self.done[mark] for target in self.targets for _, mark in marked(target)]
        elif wrong := self.first_pass():
            self.problem = "these tests fail without any mutant: " + ", ".join(wrong)
        elif wrong := self.unchanged_pass():
            self.problem = "these tests fail in the order in which they judge: " + ", ".join(wrong)
        else:
            self.every_mutant()
        return True

    def run(self, item: pytest.Item, following: pytest.Item | None) -> bool:
        """One test; whether it passed."""
        self.failed = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return not self.failed

    def first_pass(self) -> list[str]:
        """Which functions each test calls, and how long it takes; the names of tests that fail."""

        def work(numbers: range) -> Iterator[str]:
            reached = mark_calls(self.targets)
            for i in numbers:
                reached.clear()
                begin = time.process_time()
                passed = self.run(self.items[i], self.items[i + 1] if i + 1 in numbers else None)
                yield json.dumps([i, time.process_time() - begin, sorted(reached), not passed])

        pieces = self.workers * PIECES
        cuts = [len(self.items) * i // pieces for i in range(pieces + 1)]
        jobs: list[tuple[Any, Callable[[], Iterator[str]]]] = []
        jobs += [(range(a, b), partial(work, range(a, b))) for a, b in itertools.pairwise(cuts)]
        lines = sorted(json.loads(line) for _, out, _ in in_forks(jobs, self.workers, 0) for line in out)
        if len(lines) < len(self.items):
            return ["the process that ran them ended early"]
        self.reports = [Report(*line[1:]) for line in lines]
        return [self.items[i].nodeid for i, report in enumerate(self.reports) if report.failed]

    def unchanged_pass(self) -> list[str]:
        """The names of tests that fail in the order and the forks of the mutants, though nothing is changed.

        Of each file one function is tried.
        """
        ones = {target.path: target for target in self.targets}.values()
        jobs: list[tuple[Any, Callable[[], Iterator[str]]]] = []
        jobs += [(target, self.judging(target, None, self.first(self.order(target)), Counter())) for target in ones]
        wrong = []
        for target, out, status in in_forks(jobs, self.workers, WAIT):
            if out or status:
                wrong.append(self.items[int(out[-1])].nodeid if out else f"those of {target.key}: status {status}")
        return wrong

    def order(self, target: Target) -> list[int]:
        """The tests that call a function, the most specific files first, slow tests last."""
        calling = [
            i
            for i, report in enumerate(self.reports)
            if target.key in report.reached and self.items[i].nodeid.startswith(target.group.judges)
        ]
        breadth: dict[Path, list[int]] = {}
        for i in calling:
            breadth.setdefault(self.items[i].path, []).append(len(self.reports[i].reached))
        mean = {path: sum(widths) / len(widths) for path, widths in breadth.items()}
        return sorted(calling, key=lambda i: (self.reports[i].seconds > SECONDS / 6, mean[self.items[i].path], i))

    def first(self, tests: list[int]) -> list[int]:
        """Those of the tests, from the front, that fit into their share of time."""
        left = SHARE * sum(report.seconds for report in self.reports)
        chosen = []
        for i in tests:
            left -= self.reports[i].seconds
            if left > 0:
                chosen.append(i)
        return chosen

    def every_mutant(self) -> None:
        """A verdict on each."""
        jobs = []
        for target in self.targets:
            kills: Counter[int] = Counter()
            every = self.order(target)
            first = self.first(every)
            others = [i for i in every if i not in set(first)]
            jobs += [Job(target, mutant, mark, kills, first, others) for mutant, mark in marked(target)]
        self.verdicts = [self.done[job.mark] for job in jobs if job.mark in self.done]
        new = [job for job in jobs if job.mark not in self.done]
        alive = []
        for job, verdict in self.judged(new, WAIT):
            if verdict.outcome == "survived" and job.others and not self.explained(verdict):
                alive.append(replace(job, first=job.others))
            else:
                self.keep(verdict, len(jobs))
        for _, verdict in self.judged(alive, WAIT_FOR_ALL):
            self.keep(verdict, len(jobs))
        places = {job.mark: i for i, job in enumerate(jobs)}
        self.verdicts.sort(key=lambda verdict: places[verdict.mark])

    def judged(self, jobs: list[Job], wait: int) -> Iterator[tuple[Job, Verdict]]:
        """Each job with the verdict of its first tests, as soon as it is known."""
        work = [(job, self.judging(job.target, job.mutant, job.first, job.kills)) for job in jobs]
        for job, out, status in in_forks(work, self.workers, wait):
            outcome, by = "survived", ""
            if os.WIFSIGNALED(status):
                hung = os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM)
                outcome = "hung" if hung else "crashed"
            elif out:
                job.kills[int(out[-1])] += 1
                outcome, by = "killed", self.items[int(out[-1])].nodeid
            elif os.WEXITSTATUS(status):
                outcome = "crashed"
            place = (job.target.module, job.target.name, job.mutant.change, job.mutant.line)
            yield job, Verdict(*place, job.mark, outcome, by)

    def keep(self, verdict: Verdict, total: int) -> None:
        """A verdict that stands."""
        self.verdicts.append(verdict)
        self.tell(verdict, len(self.verdicts), total)

    def judging(
        self, target: Target, mutant: Mutant | None, tests: list[int], kills: Counter[int]
    ) -> Callable[[], Iterator[str]]:
        """What the fork of a mutant does: its result is the number of the test that failed, or nothing."""

        def work() -> Iterator[str]:
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))
            if mutant is not None:
                mutant.apply()
            target.become()
            first = [i for i, _ in kills.most_common(12)]
            order = first + [i for i in tests if i not in set(first)]
            for i, following in zip(order, [*order[1:], None][: len(order)], strict=True):
                signal.setitimer(signal.ITIMER_PROF, SECONDS + 20 * self.reports[i].seconds)
                if not self.run(self.items[i], None if following is None else self.items[following]):
                    yield str(i)
                    return

        return work


def marked(target: Target) -> list[tuple[Mutant, str]]:
    """Every mutant of a function, and its verdict's mark, which stays the same as long as the function's text does."""
    found, times = [], Counter[str]()
    text = ast.unparse(target.node)
    for mutant in mutants(target.tree, target.name):
        times[mutant.change] += 1
        what = f"{target.key} {text} {mutant.change} {times[mutant.change]}"
        found.append((mutant, hashlib.sha256(what.encode()).hexdigest()[:16]))
    return found


def mark_calls(targets: list[Target]) -> set[str]:
    """Have every target note, when it is called, its key in the set that comes back."""
    reached: set[str] = set()
    for target in targets:
        note = ast.parse(f"{REACHED}.add({target.key!r})").body[0]
        ast.fix_missing_locations(ast.copy_location(note, target.node.body[0]))
        inner = target.inner_nodes() if target.inner else []
        for node in inner:
            node.body.insert(0, note)
        target.inner_become()
        for node in inner:  # those that a test lets it make may be compiled, which a note could not be
            node.body.remove(note)
        target.node.body.insert(0, note)
        target.objects[0].__globals__[REACHED] = reached
    for target in targets:
        target.outer_become()
    return reached


def judge(
    targets: list[Target],
    tests: list[str],
    ignored: list[str],
    workers: int,
    done: dict[str, Verdict],
    tell: Callable[[Verdict, int, int], None],
    explained: Callable[[Verdict], bool],
) -> list[Verdict]:
    """A verdict on every mutant of the targets; those in `done`, by their marks, are not judged again.

    explained: whether there is a reason why a mutant survives. All other survivors of the first tests face the rest.
    """
    judges = Judges(targets, workers, done, tell, explained)
    options = [
        "-qq",
        "--no-summary",
        "-o",
        "addopts=",
        "-s",
        "--assert=plain",
        "--tb=no",
        "--timeout=0",
        "--hypothesis-seed=0",
    ]
    for plugin in ("cacheprovider", "xdist", "faulthandler"):
        options += ["-p", f"no:{plugin}"]
    options += ["-o", "tmp_path_retention_policy=none"]
    options += [f"--deselect={name}" if "::" in name else f"--ignore={name}" for name in ignored]
    with tempfile.TemporaryDirectory() as folder:  # in pytest's own place, later runs of pytest would clear it away
        code = pytest.main([*options, f"--basetemp={folder}", *tests], plugins=[judges])
    if judges.problem or code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        sys.exit(judges.problem or f"pytest ended with {code}")
    return judges.verdicts
