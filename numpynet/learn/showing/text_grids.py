"""Arrays as text: grids of numbers, one beside the other, at most 100 columns wide."""

from collections.abc import Sequence

import numpy as np

from numpynet.typing import AnyArray

WIDTH = 100


def decimal(value: float, digits: int = 5) -> str:
    """A multiple of 1/64 in full; any other number rounded to `digits` digits after the point, without zeros."""
    value = float(value) + 0.0  # -0.0 becomes 0.0
    if (value * 64).is_integer():
        return f"{value:.10g}"
    short = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return f"{value:.1e}" if short in ("0", "-0") else short


def grid(array: AnyArray, zero: str = "0", digits: int = 5) -> list[str]:
    """The lines of an array: one per row, its columns aligned. Leading axes of size 1 are left out.

    zero: what stands for a 0. ValueError if more than two axes remain.
    """
    rows = np.asarray(array)
    while rows.ndim > 2 and len(rows) == 1:
        rows = rows[0]
    if rows.ndim > 2:
        raise ValueError(f"grid: at most two axes may be longer than 1, got shape {np.shape(array)}")
    texts = [[zero if value == 0 else decimal(value, digits) for value in row] for row in np.atleast_2d(rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in texts]


def block(name: str, array: AnyArray, zero: str = "0", digits: int = 5) -> list[str]:
    """A grid under its name and shape."""
    return [f"{name} {tuple(np.shape(array))}", *(f"  {line}" for line in grid(array, zero, digits))]


def beside(blocks: Sequence[list[str]], indent: int = 2, gap: int = 3) -> str:
    """Blocks of lines, one beside the other as far as WIDTH allows, the rest below."""
    lines: list[str] = []
    row: list[list[str]] = []
    used = indent
    for lines_of_one in blocks:
        width = max(map(len, lines_of_one))
        if row and used + gap + width > WIDTH:
            lines += _joined(row, indent, gap)
            row, used = [], indent
        used += width + (gap if row else 0)
        row.append(lines_of_one)
    return "\n".join([*lines, *_joined(row, indent, gap)])


def _joined(row: list[list[str]], indent: int, gap: int) -> list[str]:
    height, widths = max(map(len, row)), [max(map(len, one)) for one in row]
    filled = [[*one, *[""] * (height - len(one))] for one in row]
    return [
        (
            " " * indent + (" " * gap).join(one[i].ljust(width) for one, width in zip(filled, widths, strict=True))
        ).rstrip()
        for i in range(height)
    ]
