"""How numbers of things are said."""


def count_of(number: int, what: str) -> str:
    """`no faces`, `1 face`, `2 faces`."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
