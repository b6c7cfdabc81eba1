"""Errors that end a command with one line and an exit code, and the line for any other error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FkpError(Exception):
    """Bad data: a file or its content cannot be used. The message is one line that names it and what to do."""

    exit_code = 1


class UsageError(FkpError):
    """The arguments of a command cannot work."""

    exit_code = 2


def problem_of(name: str | Path, error: Exception) -> str:
    """The one line that a run over many files prints for a file that failed.

    The message of an FkpError names the file itself. Any other error is unexpected: the line holds the file, the type
    of the error and its message, so that users can report it.
    """
    if isinstance(error, FkpError):
        return str(error)
    message = " ".join(str(error).split())[:300]
    return f"{name}: cannot be worked on ({type(error).__name__}{': ' if message else ''}{message})"


@contextmanager
def one_file(name: str | Path, problems: list[str]) -> Iterator[None]:
    """The rule of a run over many files: any error of one file becomes one line, and the other files are done.

    If the body raises an Exception, its line is appended to `problems`. Ctrl-C and signals are no Exception and end the
    whole run. So does a closed or full standard output, since no body prints to it.
    """
    try:
        yield
    except Exception as error:
        problems.append(problem_of(name, error))
