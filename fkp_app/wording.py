"""Puts counts and lists of choices into words."""

from collections.abc import Sequence


def count_of(number: int, what: str) -> str:
    """Such as "no faces", "1 face" or "2 faces"."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def either(choices: Sequence[str]) -> str:
    """Such as "a, b or c". There must be at least two choices."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
