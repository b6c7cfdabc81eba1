"""Slides about one thing each: the saliency of a keypoint, the first filters, the updates, the heat maps."""

from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fkp_app.geometry.keypoint_layout import RANGES
from fkp_app.inspection.passes import LR, Passes
from fkp_app.inspection.saving import save
from fkp_app.inspection.signs import SIGNED, SIGNS
from numpynet.functional.soft_argmax2d import SoftArgmax2dCache
from numpynet.layers import Conv2d, SoftArgmax2d
from numpynet.typing import Array

POINT, CHOSEN = "#ff3b6b", "#ffd23f"
MOST_FILTERS = 16
LANDMARKS = (8, 19, 24, 27, 30, 36, 45, 48, 54, 57)
"""Points whose heat maps are shown beside the chosen one's: chin, brows, nose, eyes and mouth."""
USUAL = 1e-3
"""A usual size of updates over that of the weights."""
DIRECTIONS = ("right (blue) or left (orange)", "down (blue) or up (orange)")
"""Of a positive and a negative change of a point's x, and of its y."""
BLUR = 1.2
"""Standard deviation, in pixels, of the blur over the saliency: single pixels of it are noisy."""


def region(keypoint: int) -> str:
    """Such as "nose"."""
    return next(name for name, numbers in RANGES.items() if keypoint in numbers)


def draw_saliency(passes: Passes, keypoint: int, path: Path) -> None:
    """Which pixels move a keypoint."""
    figure = _figure(f"Which pixels move point {keypoint} ({region(keypoint)})?", 16, 6.0)
    columns = figure.subplots(1, 4)
    x, y = passes.points[keypoint]
    _face(columns[0], passes)
    columns[0].plot(*passes.points.T, ".", color=POINT, markersize=4)
    columns[0].set_title(f"The face; point {keypoint} is yellow", fontsize=13)
    limit = float(np.percentile(np.abs(passes.saliency), 99.7)) or 1.0
    place = columns[0].images[0]
    figure.colorbar(place, ax=columns[0], location="bottom", shrink=0.9, pad=0.03, label=" ").ax.set_visible(False)
    for axes, values, name in zip(columns[1:3], passes.saliency, DIRECTIONS, strict=True):
        shown = axes.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)
        axes.set_title(f"It moves {name}", fontsize=13)
        figure.colorbar(
            shown,
            ax=axes,
            location="bottom",
            shrink=0.9,
            pad=0.03,
            label="pixels, if this pixel turns from black to white",
        )
    strength = cv2.GaussianBlur(np.hypot(*passes.saliency).astype(np.float32), (0, 0), BLUR)
    _face(columns[3], passes)
    top = float(np.percentile(strength, 99.7)) or 1.0
    heat = columns[3].imshow(strength, cmap="inferno", vmin=0, vmax=top, alpha=np.clip(strength / top, 0, 1) ** 0.6)
    columns[3].set_title("Both together, blurred, on the face", fontsize=13)
    figure.colorbar(heat, ax=columns[3], location="bottom", shrink=0.9, pad=0.03, label="pixels, in any direction")
    for axes in columns:
        axes.plot(x, y, "o", color=CHOSEN, markeredgecolor="black", markersize=8 if axes is columns[0] else 6)
        axes.set(xticks=[], yticks=[])
    _note(
        figure,
        "The gradient of the point's x and y by each pixel, from one backward pass each. "
        "It is a slope: it holds for small changes.",
    )
    save(figure, path)


def draw_filters(passes: Passes, path: Path) -> None:
    """The first layer's filters, their gradients and updates, and what they make of the face."""
    row = next(row for row in passes.record.rows if isinstance(row.layer, Conv2d))
    key = next(iter(row.parameters))
    count = min(MOST_FILTERS, len(passes.weights[key]))
    figure = _figure(f"The filters of the first layer ({row.name})", 16, 5.6)
    lines = figure.subplots(4, count, squeeze=False)
    arrays = {"weight": passes.weights, "gradient": passes.gradients, "update": passes.updates}
    for line, (name, of) in zip(lines, arrays.items(), strict=False):
        filters = of[key][:count, 0]
        limit = float(np.abs(filters).max()) or 1.0
        for axes, values in zip(line, filters, strict=True):
            axes.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)
        _label(line[0], f"{name}\n±{limit:.2g}")
    for i, (axes, values) in enumerate(zip(lines[3], row.out[0], strict=False)):
        limit = float(np.abs(values).max()) or 1.0
        axes.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)
        axes.set_xlabel(f"filter {i}", fontsize=9)
    _label(lines[3][0], "its picture\nof the face")
    for axes in lines.ravel():
        axes.set(xticks=[], yticks=[])
    _note(
        figure,
        f"{SIGNS} One scale per line, but each picture of the face has its own. The update is the first step of Adam "
        f"with lr {LR:g}:\nits size is the same for nearly every weight, and only the gradient's sign counts.",
    )
    save(figure, path)


def draw_updates(passes: Passes, path: Path) -> None:
    """The size of weights, gradients and updates, layer by layer."""
    keys = [key for key, weight in passes.weights.items() if weight.ndim > 1]
    names = [key.rpartition(".")[0] for key in keys]
    figure = _figure("One step of the optimizer, layer by layer", 16, 6.6)
    left, right = figure.subplots(1, 2)
    at = np.arange(len(keys))
    for axes, of, title in (
        (left, passes.gradients, "Mean size of the weights' gradient"),
        (
            right,
            passes.updates,
            f"Update over weights, mean sizes (black line: {USUAL:g}, usual in training)",
        ),
    ):
        sizes = np.array([float(np.abs(of[key]).mean()) for key in keys])
        if of is passes.updates:
            sizes /= [float(np.abs(passes.weights[key]).mean()) or 1.0 for key in keys]
            axes.axvline(USUAL, color="black", linewidth=2)
        axes.barh(at, sizes, color="#8c959f")
        axes.set(xscale="log", ylim=(len(keys) - 0.4, -0.6))
        axes.set_yticks(at, names, fontsize=11)
        axes.set_title(title, fontsize=13, loc="left")
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    _note(
        figure,
        f"First step of Adam, lr {LR:g}. The gradients differ by orders of magnitude; Adam divides each by its own "
        "size, so the updates hardly do.",
    )
    save(figure, path)


def draw_heat_maps(passes: Passes, keypoint: int, path: Path) -> bool:
    """The heat maps of the head. False, and no file, if the network has none."""
    cache = passes.record.rows[-1].cache
    if not isinstance(passes.record.rows[-1].layer, SoftArgmax2d) or not isinstance(cache, SoftArgmax2dCache):
        return False
    shares = np.asarray(cache.share[0])  # (68, H, W)
    figure = _figure("The heat maps of the head: where each point may lie", 16, 7.0)
    grid = figure.add_gridspec(2, 7)
    whole = figure.add_subplot(grid[:, :2])
    _face(whole, passes)
    together = shares.max(axis=0)
    _heat(whole, together, passes.crop.shape[0])
    whole.plot(*passes.points.T, ".", color="white", markersize=3)
    whole.set_title("All 68 together (the largest of each pixel)", fontsize=13)
    chosen = [keypoint, *(point for point in LANDMARKS if point != keypoint)][:10]
    for i, point in enumerate(chosen):
        axes = figure.add_subplot(grid[i // 5, 2 + i % 5])
        _face(axes, passes)
        _heat(axes, shares[point], passes.crop.shape[0])
        axes.plot(*passes.points[point], "+", color="white", markersize=11, markeredgewidth=1.6)
        axes.set_title(f"{point} ({region(point)})", fontsize=12, weight="bold" if point == keypoint else "normal")
        axes.set_xlabel(f"largest share {100 * float(shares[point].max()):.0f} %", fontsize=10)
        axes.set(xticks=[], yticks=[])
    whole.set(xticks=[], yticks=[])
    H, W = shares.shape[1:]
    _note(
        figure,
        f"A softmax turns the {H} x {W} scores of each point into shares that add up to 1. "
        "The point (white cross) is their mean position: the soft argmax.",
    )
    save(figure, path)
    return True


def _figure(title: str, width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=19, weight="bold", x=0.01, ha="left")
    return figure


def _note(figure: Figure, text: str) -> None:
    """A line or two at the bottom."""
    figure.supxlabel(text, fontsize=11, color="#444444", x=0.01, ha="left")


def _face(axes: Axes, passes: Passes) -> None:
    axes.imshow(passes.crop, cmap="gray", vmin=0, vmax=1)


def _heat(axes: Axes, share: Array, size: int) -> None:
    """Lay a heat map over the face: its pixel covers several of the crop."""
    strength = share / (float(share.max()) or 1.0)
    edges = (-0.5, size - 0.5, size - 0.5, -0.5)
    axes.imshow(
        strength, cmap="inferno", extent=edges, alpha=np.clip(strength, 0, 1) ** 0.5 * 0.85, interpolation="nearest"
    )


def _label(axes: Axes, text: str) -> None:
    axes.set_ylabel(text, fontsize=11, rotation=0, ha="right", va="center", labelpad=8)
