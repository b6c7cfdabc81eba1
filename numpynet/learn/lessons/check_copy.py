"""`python -m numpynet.learn.lessons.check_copy FILE LESSON`: checks a copy with a reader's repair.

`break --check` runs it as a process of its own, which can be ended.
"""

import contextlib
import os
import sys
import tokenize
import traceback
from contextlib import ExitStack
from pathlib import Path

from numpynet.gradcheck.__main__ import main as gradcheck
from numpynet.learn.errors import LearnError, message_of
from numpynet.learn.lessons.bugs_by_seed import bug_of_seed
from numpynet.learn.lessons.gradcheck_verdicts import wrong_verdicts
from numpynet.learn.lessons.plant import Bug, bugs, load, put
from numpynet.learn.own_process import ended, limited, started
from numpynet.learn.replacement import OriginalCalledError, calls_refused, out_of_reach, owner_of

SECONDS = 9
STATUS = (17, 18, 19)
"""How the process of its own ends: all is right, not, it cannot be checked. A file that ends it has another status."""


def in_own_process(path: Path, name: str) -> int:
    """Check a file and pass on what the check prints. Returns 0 if all is right, 1 if not, 2 if it cannot be."""
    status = ended(started("numpynet.learn.lessons.check_copy", str(path), name), SECONDS)
    if status is None:
        print(f"{path} did not finish within {SECONDS} s; is there a loop without an end?")
        return 1
    if status in STATUS:
        return STATUS.index(status)
    print(f"{path} ended the process (exit status {status}): it calls os._exit, or crashed")
    return 1


def named(name: str) -> Bug:
    """The bug of this name, or of this seed if the name is seed_N."""
    number = name.removeprefix("seed_")
    return bug_of_seed(int(number)) if number != name and number.isdigit() else bugs()[name]


def check(path: Path, bug: Bug) -> bool:
    """Whether the functions of a file are right. Prints what gradcheck finds, or what is wrong with gradcheck.

    numpynet's own functions of these names are out of the file's reach. LearnError if the file cannot be used,
    OriginalCalledError if it calls one of them.
    """
    try:
        with tokenize.open(path) as file:
            text = file.read()
    except (UnicodeDecodeError, SyntaxError) as error:
        raise LearnError(f"{path} is not text in UTF-8") from error
    except OSError as error:
        raise LearnError(f"{path} cannot be read: {error.strerror}") from error
    functions = load(text, str(path))
    owner, _ = owner_of(bug.module, bug.function)
    originals = {name: vars(owner)[name] for name in load(bug.copy(), path.name)}
    calls_refused.clear()
    for name in originals:
        if name not in functions:
            raise LearnError(f"{path} has no function {name}; leave the functions' names as they are")
    with ExitStack() as stack:
        stack.enter_context(put(bug.module, bug.function, functions))
        for name, ours in originals.items():
            stack.enter_context(out_of_reach(ours, name))
        right = _is_right(bug)
    if calls_refused:  # the error alone could be swallowed
        raise OriginalCalledError(calls_refused[0])
    return right


def _is_right(bug: Bug) -> bool:
    """Whether gradcheck finds nothing wrong; for a copy of gradcheck itself, whether its verdicts are right."""
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
    limited(SECONDS)
    try:
        return 0 if check(path, named(name)) else 1
    except LearnError as error:
        print(error)
        return 2
    except OriginalCalledError as error:
        print(f"{path} calls numpynet's own {error}, which is out of reach here; repair the copy")
        return 1
    except BaseException as error:  # of whatever kind: it is the reader's code that runs
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f"{path}, line {lines[-1]}" if lines else str(path)
        print(f"{place}: {type(error).__name__}: {message_of(error)}")
        return 1


if __name__ == "__main__":
    status = STATUS[main()]
    with contextlib.suppress(Exception):  # the file may have closed it
        sys.stdout.flush()
    os._exit(status)  # threads that the file started do not keep it waiting
