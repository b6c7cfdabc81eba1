"""The errors that end a command with one clear line and an exit code."""


class FkpError(Exception):
    """Bad data: a file or its content cannot be used. The message is one line that names it and what to do."""

    exit_code = 1


class UsageError(FkpError):
    """A command was called with arguments that cannot work."""

    exit_code = 2
