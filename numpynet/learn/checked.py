"""`python -m numpynet.learn.checked FILE LESSON`: the functions of a reader's file in the place of numpynet's, checked.

`break --check` runs it as a process of its own, which can be ended.
"""

import os
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np

import numpynet
from numpynet.gradcheck.__main__ import main as gradcheck
from numpynet.gradcheck.cases import CASES
from numpynet.learn.errors import LearnError
from numpynet.learn.own_checks import CHECKS
from numpynet.learn.plant import Bug, bugs, load, put
from numpynet.learn.seeds import bug_of_seed

SECONDS = 10


def in_own_process(path: Path, name: str) -> int:
    """Check a file and pass on what the check prints. Returns 0 if all is right, 1 if not, 2 if it cannot be."""
    root = str(Path(numpynet.__file__).parents[1])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-P", "-W", "ignore", "-m", "numpynet.learn.checked", str(path), name]
    try:
        return subprocess.run(command, timeout=SECONDS, env=os.environ | {"PYTHONPATH": paths}, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"{path} did not finish within {SECONDS} s; is there a loop without an end?")
        return 1


def named(name: str) -> Bug:
    """The bug of this name, or of this seed if the name is seed_N."""
    number = name.removeprefix("seed_")
    return bug_of_seed(int(number)) if number != name and number.isdigit() else bugs()[name]


def check(path: Path, bug: Bug) -> bool:
    """Whether the functions of a file are right. Prints what gradcheck or the bug's own check finds.

    LearnError if the file cannot be used.
    """
    try:
        functions = load(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise LearnError(f"{path} cannot be read: {error}") from error
    for name in load(bug.copy(), path.name):
        if name not in functions:
            raise LearnError(f"{path} has no function {name}; leave the functions' names as they are")
    wanted = _given_gradients(bug)
    with put(bug.module, bug.function, functions):
        if bug.check:
            wrong = CHECKS[bug.check]()
            print("\n".join(f"  WRONG  {line}" for line in wrong) or "  all is right")
            return not wrong
        if missing := wanted - _given_gradients(bug):
            print(f"  WRONG  your function gives None for {', '.join(sorted(missing))}")
            return False
        failed = gradcheck([bug.case, *_given(bug.options)])
        if bug.options:
            failed += gradcheck([bug.case])
        return not failed


def _given_gradients(bug: Bug) -> set[str]:
    """The names of the gradients that the bug's case finds; it passes over one that is None."""
    return {finding.name for finding in CASES[bug.case](np.random.default_rng(0), **bug.options)} if bug.case else set()


def _given(options: dict[str, object]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def main() -> int:
    """Check the file and the lesson that the command line names."""
    path, name = Path(sys.argv[1]), sys.argv[2]
    try:
        return 0 if check(path, named(name)) else 1
    except LearnError as error:
        print(error)
        return 2
    except (Exception, SystemExit) as error:  # of whatever kind: it is the reader's code that runs
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f"{path}, line {lines[-1]}" if lines else str(path)
        print(f"{place}: {type(error).__name__}: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
