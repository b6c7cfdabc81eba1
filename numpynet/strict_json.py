"""Reads JSON from untrusted files: strictly, and within limits."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

DEEPEST = 32
"""Levels of nested lists and tables."""
LONGEST_NUMBER = 32
"""In characters. Python writes every float in fewer, and no file here needs a longer whole number."""


def read_json(text: str, *, finite: bool = True) -> Any:
    """The value of a JSON text. finite: whether to refuse NaN and Infinity, which Python writes but JSON lacks.

    ValueError, with a message of one line, if the text is not JSON, a table has a key twice, lists and tables are
    nested more than DEEPEST deep, or a number is longer than LONGEST_NUMBER.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_table,
            parse_int=lambda digits: int(_short(digits)),
            parse_float=lambda digits: float(_short(digits)),
            parse_constant=_refused if finite else float,
        )
    except RecursionError:
        raise ValueError(f"tables nested more than {DEEPEST} deep") from None
    check_depth(value)
    return value


def check_depth(value: object) -> None:
    """ValueError if lists and tables are nested more than DEEPEST deep; Python could not print very deep ones."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        inside: list[Iterable[Any]] = [
            part.values() if isinstance(part, dict) else part for part in level if _holds(part)
        ]
        level = [part for parts in inside for part in parts]
        if not level:
            return
    raise ValueError(f"tables nested more than {DEEPEST} deep")


def shown(value: object) -> str:
    """A value from a file for an error message: on one line; if it has more than 60 characters, the first 57."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_number(value: object, low: float, high: float) -> bool:
    """Whether `value` is a finite number from low to high; True and False are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return low <= value <= high and (isinstance(value, int) or math.isfinite(value))


def _holds(part: object) -> bool:
    return isinstance(part, dict | list) and bool(part)


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {shown(name)} occurs more than once")
    return table


def _short(digits: str) -> str:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} characters")
    return digits


def _refused(name: str) -> float:
    raise ValueError(f"{name} is not a number")
