"""The error of this package."""


class LearnError(ValueError):
    """What was asked for cannot be done. The message is one line: what is wrong, and what to do."""
