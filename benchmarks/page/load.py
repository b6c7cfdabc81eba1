"""`python -m benchmarks page`: the page of `fkp web` with many visitors at once, some of whom mean no good.

Clients send photos one after another for some minutes, as a browser does, and compare each answer with that of
`fkp detect`. Meanwhile others send a photo a byte at a time, or break off. Then one visitor sends many requests as fast
as possible, while another is answered as usual. At the end all leave. The server runs in a process of its own; its
memory, threads, open files and the files of its visitors are read from outside, so this command needs Linux.
"""

import argparse
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path

from benchmarks.options import add_shared, at_least
from benchmarks.page.crowd import Tally, client
from benchmarks.page.photos import Photo, is_right, photos
from benchmarks.page.server import Held, Server, running
from benchmarks.page.trouble import break_off, hurry, slow_upload
from benchmarks.page.visitor import Visitor
from fkp_app.pipeline.results import write_result
from fkp_app.web.server import OPEN_TO_ALL

SLOW = 5
"""Slow uploads at once."""
SETTLE = 90.0
"""Seconds after which all files of visitors who have left must be gone."""
WARM_UP = 5
"""Photos that are looked at before memory, threads and open files are read for the first time."""
STOPPED_CODE, STOPPED = 130, f"fkp: {OPEN_TO_ALL}\nfkp: stopped\n"
"""The server's exit code when it is told to end, and all that it has said by then, if all was well."""


@dataclass
class Report:
    """All figures of a run."""

    clients: int
    minutes: float
    tally: Tally = field(default_factory=Tally)
    held: dict[str, Held] = field(default_factory=dict)
    slow: dict[str, int] = field(default_factory=dict)
    broken_off: dict[str, int] = field(default_factory=dict)
    hasty: dict[str, int] = field(default_factory=dict)
    beside: list[float] = field(default_factory=list)
    settled: float = 0.0
    left: list[str] = field(default_factory=list)
    console: str = ""

    def lines(self) -> list[str]:
        """The figures that are not in the table, as text."""
        return [
            *self.tally.lines(),
            f"slow uploads: {_counts(self.slow)}",
            f"visitors who broke off: {_counts(self.broken_off)}",
            f"quick requests of one visitor: {_counts(self.hasty)}",
            f"another visitor meanwhile: {len(self.beside)} answers, worst wait {max(self.beside):.2f} s",
            f"files left behind: {len(self.left)}, {self.settled:.0f} s after the last visitor left",
            f"problems: {'; '.join(one[:300] for one in self.problems()) or 'none'}",
        ]

    def problems(self) -> list[str]:
        """What should not have happened, in words."""
        found = [*self.tally.wrong, *self.tally.lost]
        found += [f"a hasty request {end}" for end in self.hasty if end.startswith("failed")]
        found += [f"left behind: {name}" for name in self.left]
        return found + ([] if self.console == STOPPED else [f"the server said: {self.console}"])


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counts.items())) or "none"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--clients", type=at_least(1), default=20, help="clients at once (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long they send photos (default %(default)s)")
    parser.add_argument(
        "--requests", type=at_least(1), default=200, help="of the visitor in a hurry (default %(default)s)"
    )
    parser.add_argument("--small", action="store_true", help="no photo of 12 megapixels among the others")
    add_shared(parser, "--json")


def run(args: argparse.Namespace) -> int:
    """Run the page and its visitors; print the figures and store them. 1 if anything went wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sent = photos(folder, large=not args.small)
        with running(folder) as server:
            report = measure(server, sent, args)
            code = server.end()
            report.console = server.log.read_text("utf-8") if code == STOPPED_CODE else f"exit code {code}"
            report.left += [path.name for path in server.folder.iterdir()]
    for line in report.lines():
        print(line)
    if args.json is not None:
        write_result(args.json, json.dumps(asdict(report)) + "\n")
    return int(bool(report.problems()))


def measure(server: Server, sent: Sequence[Photo], args: argparse.Namespace) -> Report:
    """Let all visitors come, behave well or badly, and leave."""
    report = Report(args.clients, args.minutes)
    with Visitor(server.port, "192.0.2.251") as first:
        for photo in islice(cycle(sent), WARM_UP):
            first.look(photo.content, photo.name)
    print(f"{'minute':8}{'answers':>9}{'memory':>11}{'of readers':>12}{'threads':>9}{'open files':>12}{'files':>7}")
    _watch(server, report, "before")
    end = time.monotonic() + 60 * args.minutes
    with ThreadPoolExecutor(args.clients + SLOW + 1) as pool:
        crowd = [pool.submit(client, server.port, i + 1, sent, end, report.tally) for i in range(args.clients)]
        slow = [pool.submit(slow_upload, server.port, i + 1, sent[0], end) for i in range(SLOW)]
        broken_off = pool.submit(break_off, server.port, sent[0], end, args.minutes >= 1)
        for minute in range(math.ceil(args.minutes)):
            wait(crowd, timeout=max(0.0, end - time.monotonic() - 60 * (math.ceil(args.minutes) - minute - 1)))
            _watch(server, report, f"{minute + 1}")
    for one in crowd:
        one.result()
    report.slow = dict(Counter(one.result() for one in slow))
    report.broken_off = dict(broken_off.result())
    _hurry(server.port, sent[0], args.requests, report)
    begin = time.monotonic()
    while server.files() and time.monotonic() < begin + SETTLE:
        time.sleep(0.2)
    report.settled = time.monotonic() - begin
    report.left = [path.name for path in server.files()]
    _watch(server, report, "after")
    return report


def _hurry(port: int, photo: Photo, requests: int, report: Report) -> None:
    """One visitor is in a hurry, while another sends the same photo and waits for each answer."""
    with ThreadPoolExecutor(1) as pool, Visitor(port, "198.51.100.254") as beside:
        hasty = pool.submit(hurry, port, photo, requests)
        while not report.beside or not hasty.done():
            answer = beside.look(photo.content, photo.name)
            report.beside.append(answer.seconds)
            if not is_right(answer.numbers, photo):
                report.tally.wrong.append(f"beside the visitor in a hurry: {answer.numbers}")
        report.hasty = dict(hasty.result())


def _watch(server: Server, report: Report, name: str) -> None:
    held = server.held()
    report.held[name] = held
    print(
        f"{name:8}{report.tally.right:>9}{held.memory / 1e6:8.0f} MB{held.readers / 1e6:9.0f} MB{held.threads:>9}"
        f"{held.open_files:>12}{len(server.files()):>7}",
        flush=True,
    )
