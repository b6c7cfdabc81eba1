"""The error of this package, and any error in one line."""

MOST_SAID = 200
"""Characters that are kept of an error's message."""


class LearnError(ValueError):
    """What was asked for cannot be done. The message is one line: what is wrong, and what to do."""


def message_of(error: BaseException) -> str:
    """The first line of an error's message, without what a terminal would act on. The error may be any reader's."""
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # its own __str__ fails
        lines = []
    return printable(lines[0])[:MOST_SAID] if lines else "without a message"


def printable(line: str) -> str:
    """A line with a question mark for each character that is not printed, such as a terminal's control characters."""
    return "".join(character if character.isprintable() else "?" for character in line.expandtabs(4))
