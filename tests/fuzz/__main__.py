"""Changes files at random and reads them, for as long as it is told to: python -m tests.fuzz --minutes 30

For each reader it prints how many files it tried, the time, the faults, and the most memory that one file took. The
files of the first fault of each kind are kept. The exit code is 1 if there was any fault.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.child import Child, Outcome
from tests.fuzz.kinds import READERS
from tests.fuzz.reader import Case, Reader

ROUND = 300
"""Files of one call of Hypothesis."""
KINDS = ("error", "crash", "hang", "memory")


@dataclass
class Tally:
    """What the files of one reader came to. first: the text and the files of the first fault of each kind."""

    kinds: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    peak: float = 0.0
    first: dict[tuple[str, str], Case] = field(default_factory=dict)

    def add(self, outcome: Outcome, case: Case) -> None:
        self.kinds[outcome.kind] += 1
        self.peak = max(self.peak, outcome.peak)
        if outcome.fault:
            self.first.setdefault((outcome.kind, outcome.text.rpartition(" at ")[2]), case)

    def row(self, name: str) -> str:
        numbers = [self.kinds.total(), self.kinds["read"], self.kinds["refused"], *(self.kinds[kind] for kind in KINDS)]
        return f"{name:<24}" + "".join(f"{number:>9}" for number in numbers) + f"{self.seconds:>9.0f}{self.peak:>9.0f}"


HEADER = f"{'reader':<24}" + "".join(f"{word:>9}" for word in ("files", "read", "refused", *KINDS, "seconds", "MiB"))


def try_for(seconds: float, reader: Reader, child: Child, seed: int) -> Tally:
    """Read changed files for some seconds."""
    tally, begun = Tally(), time.monotonic()
    options = settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    number = 0
    while time.monotonic() - begun < seconds:

        @hypothesis.seed(seed + number)
        @options
        @given(reader.changed())
        def one(case: Case) -> None:
            if time.monotonic() - begun < seconds:
                tally.add(child.read(reader, case), case)

        one()
        number += 1
    tally.seconds = time.monotonic() - begun
    return tally


def keep(tally: Tally, name: str, folder: Path) -> None:
    """Keep the files of each kind of fault, and print where."""
    for number, ((kind, text), case) in enumerate(tally.first.items()):
        place = folder / f"{name.replace(' ', '-').replace(',', '')}-{number}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for file, content in case.items():
            (place / file).write_bytes(content)
        print(f"  {kind}: {text}\n  its files: {place}")


def main() -> int:
    """Try the readers that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="for all readers together (default %(default)g)")
    parser.add_argument("--seed", type=int, default=0, help="another seed tries other files (default %(default)s)")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="a folder for files that go wrong")
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"of {', '.join(READERS)}; all by default")
    given_ = parser.parse_args()
    for name in given_.readers:
        if name not in READERS:
            parser.error(f"no reader is called {name}; they are {', '.join(READERS)}")
    names = given_.readers or list(READERS)
    faults = 0
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder, Child(Path(folder)) as child:
        for name in names:
            tally = try_for(60 * given_.minutes / len(names), READERS[name], child, 1_000_000 * given_.seed)
            print(tally.row(name), flush=True)
            keep(tally, name, given_.keep)
            faults += sum(tally.kinds[kind] for kind in KINDS)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
