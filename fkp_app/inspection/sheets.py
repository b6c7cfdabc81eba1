"""Sheets with one cell per layer: its activations, or the gradients that arrive at it."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fkp_app.inspection.passes import Passes
from fkp_app.inspection.saving import save
from fkp_app.inspection.signs import SIGNED, SIGNS
from numpynet.layers import Conv2d
from numpynet.record import Row
from numpynet.typing import Array

COLUMNS = 9
ACROSS = 4
"""A cell shows at most ACROSS * ACROSS channels."""
NEVER_NEGATIVE = "magma"
"""Colour map for numbers that are never negative; SIGNED is for the others."""
POINT, PULL = "#ff3b6b", "#ffd23f"
GAP = 0.06
"""Between channels, as a share of a map's side."""


def draw_activations(passes: Passes, path: Path) -> None:
    """What each layer makes of the face."""
    _sheet(
        passes,
        [row.out for row in passes.record.rows],
        "What each layer makes of one face",
        f"Each cell: the output of one layer, of its channels the 16 that vary most. {SIGNS} Black to yellow: nothing "
        "is negative.\nEach cell has its own scale, printed above: 99 % of its numbers lie within. A bar on the left "
        "marks the layers of a residual branch.",
        path,
    )


def draw_gradients(passes: Passes, path: Path) -> None:
    """The gradient that arrives at each layer."""
    _sheet(
        passes,
        [row.out if row.dout is None else row.dout for row in passes.record.rows],
        "The gradient that arrives at each layer (dL/dout)",
        f"Backpropagation fills the cells from the last to the first. {SIGNS} 99 % of a cell's numbers lie within the "
        "scale above it.\nThe channels are those of activations.png. The loss is "
        "SmoothL1 between the points found here and in the mirrored face; the last cell shows its pull on each point.",
        path,
    )


def _sheet(passes: Passes, arrays: Sequence[Array], title: str, note: str, path: Path) -> None:
    rows = passes.record.rows
    lines = math.ceil((len(rows) + 1) / COLUMNS)
    figure = Figure(figsize=(16, 1.15 + 1.85 * lines))
    height = figure.get_figheight()
    cells = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    figure.subplots_adjust(0.01, 0.62 / height, 0.99, 1 - 0.98 / height, wspace=0.08, hspace=0.3)
    figure.text(0.01, 1 - 0.12 / height, title, fontsize=19, weight="bold", va="top")
    figure.text(0.01, 0.1 / height, note, fontsize=10.5, color="#444444", va="bottom", linespacing=1.4)
    for axes in cells:
        axes.axis("off")
    cells[0].imshow(passes.crop, cmap="gray", vmin=0, vmax=1)
    _title(cells[0], "the face", f"{passes.crop.shape[0]} x {passes.crop.shape[1]} pixels")
    for axes, row, array in zip(cells[1:], rows, arrays, strict=False):
        _cell(axes, row, array, passes)
    save(figure, path)


def _cell(axes: Axes, row: Row, array: Array, passes: Passes) -> None:
    """Draw one layer's array."""
    scale = float(np.percentile(np.abs(array), 99)) or float(np.abs(array).max()) or 1.0
    positive = array is row.out and bool((array >= 0).all())
    picture = mosaic(array[0][strongest(row.out[0])]) if array.ndim == 4 else line_as_picture(array[0])
    if row.out is passes.record.out:
        axes.imshow(passes.crop, cmap="gray", vmin=0, vmax=1)
        axes.plot(*passes.points.T, ".", color=POINT, markersize=4)
        if array is not row.out:  # a step against the gradient moves a point along its arrow
            pull = -array.reshape(-1, 2)
            length = float(np.abs(pull).max()) or 1.0
            axes.quiver(*passes.points.T, *(pull / length).T, color=PULL, angles="xy", scale=6, width=0.012)
    else:
        low = 0.0 if positive else -scale
        colours = NEVER_NEGATIVE if positive else SIGNED
        axes.imshow(picture, cmap=colours, vmin=low, vmax=scale, interpolation="nearest")
    if row.depth:
        axes.plot(
            [-0.03, -0.03], [0, 1], color="#57606a", linewidth=1.2 * row.depth, transform=axes.transAxes, clip_on=False
        )
    shape = " x ".join(map(str, array.shape[1:]))
    _title(axes, short_name(row), f"{shape}, {'0 to ' if positive else '±'}{scale:.2g}")


def _title(axes: Axes, name: str, detail: str) -> None:
    axes.set_title(name, fontsize=9.5, weight="bold", pad=15, loc="left", parse_math=False)
    axes.text(0, 1.02, detail, fontsize=8.5, color="#555555", transform=axes.transAxes, va="bottom")


def short_name(row: Row) -> str:
    """Such as "stem1 conv 3 x 3", "stem1_bn", "ReLU", "pool" or "sum" for a Residual."""
    if row.inside:
        return "sum of branches"
    if isinstance(row.layer, Conv2d):
        return f"{row.name} conv {row.layer.kernel_size[0]} x {row.layer.kernel_size[1]}"
    return row.name or type(row.layer).__name__


def strongest(maps: Array) -> list[int]:
    """The channels of maps (C, H, W) that vary most, at most ACROSS * ACROSS, in their own order."""
    most = np.argsort(-maps.reshape(len(maps), -1).std(axis=1), kind="stable")[: ACROSS * ACROSS]
    return sorted(int(channel) for channel in most)


def mosaic(maps: Array) -> Array:
    """Maps (K, H, W) in a square of ACROSS by ACROSS (fewer if K is small), with gaps of NaN, which are not drawn."""
    across = min(ACROSS, math.ceil(math.sqrt(len(maps))))
    K, H, W = maps.shape
    zoom = max(1, 48 // max(H, W))  # so that gaps have the same share of small maps
    maps = maps.repeat(zoom, axis=1).repeat(zoom, axis=2)
    gap = max(1, round(GAP * zoom * max(H, W)))
    lines = math.ceil(K / across)
    picture = np.full((lines * (zoom * H + gap) - gap, across * (zoom * W + gap) - gap), np.nan)
    for k in range(K):
        top, left = k // across * (zoom * H + gap), k % across * (zoom * W + gap)
        picture[top : top + zoom * H, left : left + zoom * W] = maps[k]
    return picture


def line_as_picture(values: Array) -> Array:
    """Numbers (F,) in a rectangle that is nearly square, filled up with NaN."""
    across = math.ceil(math.sqrt(values.size))
    picture = np.full(math.ceil(values.size / across) * across, np.nan)
    picture[: values.size] = values
    return picture.reshape(-1, across)
