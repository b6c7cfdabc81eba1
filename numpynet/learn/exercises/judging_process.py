"""The check of a reader's file in a process of its own, which may print, loop for ever or end itself.

The process writes what it found as JSON to the pipe that was its standard output; what the file prints goes elsewhere.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from numpynet.learn.errors import message_of
from numpynet.learn.exercises import Exercise, find
from numpynet.learn.exercises.judge import CannotJudgeError, Check, NotWrittenError, judge
from numpynet.learn.own_process import ended, limited, started

SECONDS = 8.0
"""How long a check may take. A right answer takes a tenth of it, the start of Python included."""
MOST_PRINTED = 1 << 16
"""Bytes that are kept of what a file prints."""


@dataclass(frozen=True)
class Verdict:
    """What is known of a file: a problem in one line, or else one check per case.

    place: of a problem, the source of the line that failed, and what its names were. printed: what the file printed.
    """

    exercise: Exercise
    path: Path
    checks: list[Check] = field(default_factory=list)
    problem: str = ""
    place: list[str] = field(default_factory=list)
    written: bool = True
    printed: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything is right."""
        return bool(self.checks) and not self.problem and not any(check.wrong for check in self.checks)


def check_file(exercise: Exercise, path: Path, seconds: float = SECONDS) -> Verdict:
    """Judge a file in a process of its own, which gets at most this time."""
    words = (exercise.name, str(path))
    child = started("numpynet.learn.exercises.judging_process", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stderr is not None
    found, printed = bytearray(), bytearray()
    readers = [
        threading.Thread(target=_drain, args=(stream, kept), daemon=True)
        for stream, kept in ((child.stdout, found), (child.stderr, printed))
    ]
    for reader in readers:
        reader.start()
    status = ended(child, seconds)
    for reader in readers:
        reader.join(0.5)  # a process that the file started may hold the pipes
    said = printed.decode("utf-8", "replace")
    if status is None:
        problem = f"no answer within {seconds:g} seconds: does a loop never end, or work on ever larger arrays?"
        return Verdict(exercise, path, problem=problem, printed=said)
    try:
        result = json.loads(found)
        checks = [Check(**check) for check in result.pop("checks")]
        return Verdict(exercise, path, checks, **result, printed=said)
    except (ValueError, TypeError, AttributeError, KeyError):  # nothing, or something that the file wrote
        problem = f"the file ended the process (exit status {status}): it calls os._exit, or crashed"
        return Verdict(exercise, path, problem=problem, printed=said)


def _drain(stream: IO[bytes], kept: bytearray) -> None:
    """Read to the end, so that the process never waits, and keep the beginning."""
    while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
        kept += chunk[: max(0, MOST_PRINTED - len(kept))]


def main() -> None:
    """In the process of its own: judge the file and write the result."""
    name, path = sys.argv[1:]
    out = os.dup(1)
    os.dup2(2, 1)  # what the file prints, by whatever way, goes to the other pipe
    from numpynet.learn.exercises import file_loader

    exercise = find(name)
    result: dict[str, object] = {"checks": [], "problem": "", "written": True}
    try:
        limited(SECONDS)
        file_loader.prepare(Path(path).parent)
        result["checks"] = [asdict(check) for check in judge(exercise, file_loader.function_of(exercise, Path(path)))]
    except NotWrittenError:
        result |= {"problem": "not written yet: the body still raises NotImplementedError", "written": False}
    except CannotJudgeError as stop:
        result |= {"problem": str(stop), "place": stop.place}
    except BaseException as error:  # KeyboardInterrupt of the file, or what comes of a changed numpy or numpynet
        kind = type(error).__name__
        result["problem"] = (
            f"the check was ended by {kind}: {message_of(error)}; does the file raise it or change numpy?"
        )
    with contextlib.suppress(Exception):  # the file may have closed them
        sys.stdout.flush()
        sys.stderr.flush()
    os.write(out, json.dumps(result).encode())
    os._exit(0)  # threads that the file started do not keep it waiting


if __name__ == "__main__":
    main()
