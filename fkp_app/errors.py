"""The errors that end a command with one clear line and an exit code, and the line that any other error becomes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FkpError(Exception):
    """Bad data: a file or its content cannot be used. The message is one line that names it and what to do."""

    exit_code = 1


class UsageError(FkpError):
    """A command was called with arguments that cannot work."""

    exit_code = 2


def problem_of(name: str | Path, error: Exception) -> str:
    """The one line that a run over many files says of a file that failed; the other files go on.

    An FkpError names the file itself. Anything else is an error that nobody foresaw: the line names the file, the
    error's type and its message, so that it can be reported.
    """
    if isinstance(error, FkpError):
        return str(error)
    message = " ".join(str(error).split())[:300]
    return f"{name}: cannot be worked on ({type(error).__name__}{': ' if message else ''}{message})"


@contextmanager
def one_file(name: str | Path, problems: list[str]) -> Iterator[None]:
    """The rule of a run over many files: whatever happens to one of them is its line, and the others go on.

    Any exception of the body is appended to `problems` as its line. Ctrl-C and signals, which are no Exception, end
    the whole run; so does a closed or full standard output, to which nobody prints inside of the body.
    """
    try:
        yield
    except Exception as error:
        problems.append(problem_of(name, error))
