"""Numbers of things and lists of choices in words."""

from collections.abc import Sequence


def count_of(number: int, what: str) -> str:
    """`no faces`, `1 face`, `2 faces`."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def either(choices: Sequence[str]) -> str:
    """`a, b or c`, for two choices or more."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
