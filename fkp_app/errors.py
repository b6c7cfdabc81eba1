"""The errors that end a command with one line and an exit code, and the line for a file that failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FkpError(Exception):
    """A file or its content cannot be used. The message is one line: the file, what is wrong, what to do."""

    exit_code = 1


class UsageError(FkpError):
    """The arguments of a command are wrong or do not fit together."""

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
    """Work on one file of many in the body. If it raises an Exception, append one line to `problems` and go on.

    Ctrl-C and signals raise no Exception, so they end the whole run. A closed or full standard output ends it too,
    because no body prints to it.
    """
    try:
        yield
    except Exception as error:
        problems.append(problem_of(name, error))
