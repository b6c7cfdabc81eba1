"""Results taken apart into arrays with names, and the first number that is wrong in one."""

from typing import Any

import numpy as np

from numpynet.typing import AnyArray


def leaves(name: str, value: Any) -> dict[str, Any]:
    """The parts of tuples, lists and dicts by name: "cache.x" of a named tuple, "grad[0]" of a list."""
    if isinstance(value, dict):
        parts = {f"{name}.{key}": part for key, part in value.items()}
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        parts = {f"{name}.{key}": getattr(value, key) for key in value._fields}
    elif isinstance(value, tuple | list):
        parts = {f"{name}[{i}]": part for i, part in enumerate(value)}
    else:
        return {name: value}
    return {key: leaf for part, inner in parts.items() for key, leaf in leaves(part, inner).items()}


def snapshot(named: dict[str, Any]) -> dict[str, Any]:
    """Copies of all arrays in these values, by name."""
    found = {key: leaf for name, value in named.items() for key, leaf in leaves(name, value).items()}
    return {key: leaf.copy() if isinstance(leaf, np.ndarray) else leaf for key, leaf in found.items()}


def difference(name: str, mine: Any, right: Any, tolerance: float, scale: float = 1e-12) -> str:
    """What is wrong with `mine`, in one line, beginning with its name; nothing if it is right.

    tolerance: the largest right error, relative to the largest magnitude in `right`, or to `scale` if that is larger.
    """
    if right is None:
        return "" if mine is None else f"{name} must be None here, and is {described(mine)}"
    if mine is None:
        return f"{name} is None and must be {described(right)}; does the function return it?"
    if isinstance(right, np.ndarray):
        if not isinstance(mine, np.ndarray | np.generic):
            return f"{name} is {described(mine)} and must be {described(right)}"
    elif isinstance(right, float) and isinstance(mine, bool | np.bool_):
        return f"{name} is {mine!r} and must be a number"
    elif not isinstance(right, float | int) or not isinstance(mine, float | int | np.generic):
        same = type(mine) is type(right) and mine == right
        return "" if same else f"{name}: yours {described(mine)}, right {described(right)}"
    mine, right = np.asarray(mine), np.asarray(right)
    if mine.shape != right.shape:
        return f"{name} has shape {mine.shape} and must have {right.shape}"
    if mine.dtype != right.dtype:
        return f"{name} is {mine.dtype} and must be {right.dtype}: the dtype that comes in goes out"
    return _first_wrong(name, mine, right, tolerance, scale)


def _first_wrong(name: str, mine: AnyArray, right: AnyArray, tolerance: float, scale: float) -> str:
    """The first wrong number beside the right one, with its index."""
    if right.dtype.kind != "f":
        wrong = mine != right
    else:
        allowed = tolerance * max(float(np.abs(right).max(initial=0)), scale)
        wrong = ~(np.abs(mine - right) <= allowed)
    if not wrong.any():
        return ""
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    index = f"[{', '.join(map(str, where))}]" if where else ""
    count = f"; {wrong.sum()} of {wrong.size} numbers are wrong" if wrong.size > 1 else ""
    yours, rights = f"{mine[where]:.6g}", f"{right[where]:.6g}"
    if yours == rights:  # they differ further on: a computation in float32, for example
        yours, rights = f"{mine[where]:.17g}", f"{right[where]:.17g}"
    return f"{name}{index}: yours {yours}, right {rights}{count}"


def described(value: Any) -> str:
    """What a value is, in a few words."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, str):
        return repr(value[:40])
    if isinstance(value, bool | int | float):
        return repr(value)
    return f"a {type(value).__name__}"
