"""Makes dataclasses from the tables of a TOML or JSON file. Each mistake is refused in one line: file, key and remedy.

The type of a field is bool, int, float, str, a Literal, a Range, a dict (kept as it is), a dataclass (a table) or a
union of dataclasses (a table whose `name` chooses one); or one of these or None; or tuple[X, ...] (a list) of one of
these. Fields with a default may be left out.
"""

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fkp_app.errors import FkpError
from numpynet.files import not_a_file
from numpynet.strict_json import check_depth, is_number, shown

T = TypeVar("T")

Range = tuple[float, float]
"""The least and the greatest value. In a file it is a list [low, high]."""


@dataclasses.dataclass(frozen=True)
class Within:
    """Limits in an Annotated type: the number, or both numbers of a Range, must lie in low .. high."""

    low: float
    high: float = math.inf


Share = Annotated[float, Within(0, 1)]
"""A number in 0 .. 1."""

LARGEST = 2.0**53
"""The largest number allowed in a file. Floats hold every whole number up to here."""
LARGEST_TOML = 1 << 16  # bytes


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file. FkpError if it cannot be read, is not TOML, or is larger than LARGEST_TOML."""
    return read_text(path, LARGEST_TOML, _parsed_toml, "TOML", "mend it, or name another file")


def read_text(path: Path, most: int, parse: Callable[[str], T], form: str, remedy: str) -> T:
    """Read a small text file and return the result of `parse` for its text.

    form: the name of its format, for messages. FkpError if it cannot be read, is no file, has more than `most` bytes,
    or `parse` raises ValueError. The message ends with `remedy`.
    """
    if (reason := not_a_file(path)) is not None:
        raise FkpError(f"{path}: {reason}; {remedy}")
    try:
        with path.open("rb") as file:
            text = file.read(most + 1)
        if len(text) > most:
            raise ValueError(f"it has more than {most} bytes")
        return parse(text.decode())
    except (OSError, ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:300]
        raise FkpError(f"{path}: cannot be read as {form} ({reason}); {remedy}") from None


def _parsed_toml(text: str) -> dict[str, Any]:
    tables = tomllib.loads(text.removeprefix("\ufeff"))  # some editors write a BOM. TOMLDecodeError is a ValueError
    check_depth(tables)
    return tables


def read_table(cls: type[T], table: object, file: object, key: str = "") -> T:
    """An instance of the dataclass `cls` from a table of `file`. key: the path of the table in the file.

    FkpError if a key is unknown or missing, or if a value has the wrong type or lies outside its field's range.
    """
    if not isinstance(table, Mapping):
        raise FkpError(f"{file}: {key or 'its content'} must be a table, got {shown(table)}")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in table:
        if name not in fields:
            written = name if isinstance(name, str) and name.isidentifier() and len(name) <= 60 else shown(name)
            raise FkpError(f"{file}: {_join(key, written)} is not a known key; expected {', '.join(fields)}")
    hints = typing.get_type_hints(cls, include_extras=True)
    values = {}
    for name, field in fields.items():
        where = _join(key, name)
        if name in table:
            values[name] = _read_value(hints[name], table[name], file, where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise FkpError(f"{file}: {where} is missing; expected {_words(hints[name])}")
    return cls(**values)


def _read_value(hint: Any, value: object, file: object, key: str) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        choices = typing.get_args(hint)
        if types.NoneType in choices:
            return None if value is None else _read_value(choices[0], value, file, key)
        return _read_choice(choices, value, file, key)
    if dataclasses.is_dataclass(hint):
        return read_table(typing.cast(type, hint), value, file, key)
    if typing.get_origin(hint) is tuple and typing.get_args(hint)[-1] is Ellipsis:
        if not isinstance(value, list | tuple):
            raise FkpError(f"{file}: {key} must be a list, got {shown(value)}")
        return tuple(_read_value(typing.get_args(hint)[0], part, file, f"{key}[{i}]") for i, part in enumerate(value))
    plain, limits = _parts(hint)
    converted = _convert(plain, value)
    numbers = converted if isinstance(converted, tuple) else (converted,)
    if converted is None or (limits and not all(limits.low <= number <= limits.high for number in numbers)):
        raise FkpError(f"{file}: {key} must be {_words(hint)}, got {shown(value)}")
    return converted


def _read_choice(classes: tuple[Any, ...], value: object, file: object, key: str) -> Any:
    """An instance of that dataclass among `classes` that the table's `name` chooses."""
    by_name = {cls.name: cls for cls in classes}
    name = value.get("name") if isinstance(value, Mapping) else None
    if not isinstance(name, str) or name not in by_name:
        got = shown(value) if name is None else shown(name)
        raise FkpError(f"{file}: {key}.name must be one of {', '.join(by_name)}, got {got}")
    return read_table(by_name[name], value, file, key)


def _convert(hint: Any, value: object) -> Any:
    """`value` as the type `hint`; None if it has another type."""
    number = is_number(value, -LARGEST, LARGEST)
    if typing.get_origin(hint) is typing.Literal:
        return value if value in typing.get_args(hint) else None
    if hint == Range:
        pair = [_convert(float, part) for part in value] if isinstance(value, list | tuple) else []
        return tuple(pair) if len(pair) == 2 and None not in pair and pair[0] <= pair[1] else None
    if hint is float:
        return float(typing.cast(float, value)) if number else None
    if hint is int:
        return value if number and isinstance(value, int) else None
    return value if isinstance(value, typing.get_origin(hint) or hint) else None


def _parts(hint: Any) -> tuple[Any, Within | None]:
    """The type without its limits, and the limits."""
    if typing.get_origin(hint) is Annotated:
        plain, limits = typing.get_args(hint)
        return plain, limits
    return hint, None


def _words(hint: Any) -> str:
    """The values that a field accepts, in words."""
    plain, limits = _parts(hint)
    if typing.get_origin(plain) is typing.Literal:
        return " or ".join(str(choice) for choice in typing.get_args(plain))
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Range: "[low, high]"}
    what = names.get(plain, "a table")
    if limits is None:
        return what
    return (
        f"{what} in {limits.low:g} .. {limits.high:g}" if limits.high < math.inf else f"{what}, at least {limits.low:g}"
    )


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
