"""The errors that end a command with one clear line and an exit code, and the line that any other error becomes."""

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
