"""Loss curves as characters, on a scale of powers of ten."""

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 64, 12


def chart(curves: Mapping[str, Sequence[float]]) -> str:
    """The curves, each drawn with its one-letter name, and with * where two share a place.

    All have the same number of points, above 0; a point that is no finite number is left out. The last line says what
    the scale is.
    """
    points = {name: [(i, math.log10(y)) for i, y in enumerate(ys) if 0 < y < math.inf] for name, ys in curves.items()}
    heights = [y for curve in points.values() for _, y in curve]
    low, high = min(heights), max(heights)
    steps = max(len(curve) for curve in curves.values()) - 1
    cells = [[" "] * (WIDTH + 1) for _ in range(HEIGHT + 1)]
    for name, curve in points.items():
        for i, y in curve:
            row = round((high - y) / (high - low or 1) * HEIGHT)
            column = round(i / (steps or 1) * WIDTH)
            cells[row][column] = name if cells[row][column] in (" ", name) else "*"
    labels = {0: 10**high, HEIGHT: 10**low}
    lines = [f"{labels[i]:>9.5f} |" if i in labels else " " * 10 + "|" for i in range(HEIGHT + 1)]
    lines = [label + "".join(row).rstrip() for label, row in zip(lines, cells, strict=True)]
    steps_line = f"{'step 0':>17}{steps:>{WIDTH - 6}}"
    factor = 10 ** ((high - low) / HEIGHT)
    scale = f"{'':11}The scale is logarithmic: each line down divides the loss by {factor:.2f}."
    return "\n".join([*lines, " " * 10 + "+" + "-" * WIDTH, steps_line, scale])
