"""`python -m numpynet.learn.lessons.check_copy FILE LESSON`: checks a copy with a reader's repair.

`break --check` runs it as a process of its own, which can be ended.
"""

import os
import subprocess
import sys
import traceback
from pathlib import Path

import numpynet
from numpynet.gradcheck.__main__ import main as gradcheck
from numpynet.learn.errors import LearnError
from numpynet.learn.lessons.bugs_by_seed import bug_of_seed
from numpynet.learn.lessons.gradcheck_verdicts import wrong_verdicts
from numpynet.learn.lessons.plant import Bug, bugs, load, put

SECONDS = 10


def in_own_process(path: Path, name: str) -> int:
    """Check a file and pass on what the check prints. Returns 0 if all is right, 1 if not, 2 if it cannot be."""
    root = str(Path(numpynet.__file__).parents[1])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-P", "-B", "-W", "ignore", "-m", "numpynet.learn.lessons.check_copy", str(path), name]
    try:
        environment = os.environ | {"PYTHONPATH": paths}
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, timeout=SECONDS, env=environment, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        print(f"{path} did not finish within {SECONDS} s; is there a loop without an end?")
        return 1


def named(name: str) -> Bug:
    """The bug of this name, or of this seed if the name is seed_N."""
    number = name.removeprefix("seed_")
    return bug_of_seed(int(number)) if number != name and number.isdigit() else bugs()[name]


def check(path: Path, bug: Bug) -> bool:
    """Whether the functions of a file are right. Prints what gradcheck finds, or what is wrong with gradcheck.

    LearnError if the file cannot be used.
    """
    try:
        functions = load(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise LearnError(f"{path} cannot be read: {error}") from error
    for name in load(bug.copy(), path.name):
        if name not in functions:
            raise LearnError(f"{path} has no function {name}; leave the functions' names as they are")
    with put(bug.module, bug.function, functions):
        if not bug.case:
            wrong = wrong_verdicts()
            print("\n".join(f"  WRONG  {line}" for line in wrong) or "  all is right")
            return not wrong
        failed = gradcheck([bug.case, *_given(bug.options)])
        if bug.options:
            failed += gradcheck([bug.case])
        return not failed


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
