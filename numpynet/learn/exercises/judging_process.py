"""The check of a reader's file in a process of its own, which may print, loop for ever or end itself.

The process writes what it found as JSON to the pipe that was its standard output; what the file prints goes elsewhere.
"""

import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from numpynet.learn.errors import message_of
from numpynet.learn.exercises import Exercise, find
from numpynet.learn.exercises.judge import CannotJudgeError, Check, NotWrittenError, judging
from numpynet.learn.own_process import answer, asked, limited

SECONDS = 8.0
"""How long a check may take. A right answer takes a tenth of it, the start of Python included."""


@dataclass(frozen=True)
class Verdict:
    """What is known of a file: one check per case, up to the one in which a problem, in one line, ended the check.

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
    told = asked(
        "numpynet.learn.exercises.judging_process",
        exercise.name,
        str(path),
        seconds=seconds,
        read=lambda result: Verdict(exercise, path, [Check(**check) for check in result.pop("checks")], **result),
    )
    return replace(told.found or Verdict(exercise, path, problem=told.problem), printed=told.printed)


def _judged(name: str, path: str) -> dict[str, object]:
    from numpynet.learn.exercises import file_loader

    exercise = find(name)
    checks: list[dict[str, object]] = []
    result: dict[str, object] = {"checks": checks, "problem": "", "written": True}
    try:
        limited(SECONDS)
        file_loader.prepare(Path(path).parent)
        for check in judging(exercise, file_loader.function_of(exercise, Path(path))):
            checks.append(asdict(check))
    except NotWrittenError as stop:
        blank = "not written yet: the body still raises NotImplementedError"
        result |= {"problem": str(stop), "place": stop.place} if checks else {"problem": blank}
        result["written"] = bool(checks)
    except CannotJudgeError as stop:
        result |= {"problem": str(stop), "place": stop.place}
    except BaseException as error:  # KeyboardInterrupt of the file, or what comes of a changed numpy or numpynet
        result["problem"] = ended_by(error)
    return result


def ended_by(error: BaseException) -> str:
    """What is said of an error that nothing else explains."""
    kind = type(error).__name__
    return f"the check was ended by {kind}: {message_of(error)}; does the file raise it or change numpy?"


if __name__ == "__main__":
    answer(lambda: _judged(*sys.argv[1:]))
