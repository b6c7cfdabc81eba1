"""Puts counts, lists of choices and names into words."""

from collections.abc import Sequence

LONGEST_NAME = 300
"""In characters. Names of files have at most 255."""


def count_of(number: int, what: str) -> str:
    """Such as "no faces", "1 face" or "2 faces"."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def named(name: str) -> str:
    """A name from a file, for a message of one line: quoted and cut if it has odd characters or is long."""
    from numpynet.strict_json import shown  # numpynet loads NumPy, before which `blas` must be at work

    return name if name.isprintable() and len(name) <= LONGEST_NAME else shown(name)


def either(choices: Sequence[str]) -> str:
    """Such as "a, b or c". There must be at least two choices."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
