"""The data set in one picture: frames with their points, the diagram of the 68 points, and statistics."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fkp_app.data.dataset import FacialKeypointsDataset
from fkp_app.geometry.framing import apply, face_square
from fkp_app.geometry.keypoint_layout import RANGES, eye_angle, interocular
from numpynet.files import atomic
from numpynet.typing import Array

COLOURS = dict(zip(RANGES, ("#2563eb", "#d97706", "#b45309", "#059669", "#db2777", "#be185d", "#dc2626"), strict=True))

LINES = [
    [*range(17)],  # jaw
    [*range(17, 22)],
    [*range(22, 27)],
    [*range(27, 31)],
    [*range(31, 36)],
    [*range(36, 42), 36],
    [*range(42, 48), 42],
    [*range(48, 60), 48],
    [*range(60, 68), 60],
]
"""The points that each line of the diagram joins."""

NUMBER_PLACES = {48: (-12, -2), 60: (5, -2), 64: (-12, -2), 54: (5, -2)}
"""The offset of a number from its point, in printer's points: at the mouth's corners two points nearly coincide."""


def statistics(splits: Mapping[str, FacialKeypointsDataset]) -> str:
    """One line per split: frames, people, outer-eye distance in pixels (5 %, median, 95 %), faces over 15° roll."""
    lines = ["split        frames  people   outer-eye distance (5 %, median, 95 %)   rolled over 15 degrees"]
    for name, dataset in splits.items():
        if not len(dataset):
            lines.append(f"{name:<12} {0:6d}")
            continue
        low, middle, high = np.percentile(interocular(dataset.keypoints), [5, 50, 95])
        rolled = int((np.abs(eye_angle(dataset.keypoints)) > 15).sum())
        people = len(set(dataset.people))
        lines.append(
            f"{name:<12} {len(dataset):6d}  {people:6d}   {low:10.1f} {middle:8.1f} {high:8.1f} px {rolled:22d}"
        )
    return "\n".join(lines)


def mean_shape(keypoints: Array) -> Array:
    """The mean (68, 2) of faces (n, 68, 2), each moved and scaled so that its square has centre 0 and side 1."""
    shapes = []
    for face in keypoints.astype(np.float64):
        cx, cy, side = face_square(face)
        shapes.append(apply(np.array([[1 / side, 0, -cx / side], [0, 1 / side, -cy / side]]), face))
    return np.mean(shapes, axis=0)


def draw_diagram(axes: Axes, shape: Array) -> None:
    """Draw the points (68, 2) and their numbers; the legend names each range with its first and last number."""
    for line in LINES:
        colour = next(COLOURS[name] for name, numbers in RANGES.items() if line[0] in numbers)
        axes.plot(*shape[line].T, "-", color=colour, linewidth=0.8, alpha=0.5)
    for name, numbers in RANGES.items():
        points, colour = shape[list(numbers)], COLOURS[name]
        axes.plot(*points.T, "o", color=colour, markersize=4, label=f"{name}  {numbers[0]}-{numbers[-1]}")
        for number, point in zip(numbers, points, strict=True):
            place = NUMBER_PLACES.get(number, (3, 3))
            axes.annotate(str(number), point, xytext=place, textcoords="offset points", fontsize=7, color=colour)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.axis("off")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def draw_sheet(dataset: FacialKeypointsDataset, facts: str, path: Path, count: int, seed: int) -> None:
    """Write the picture: `count` random frames with their points, the diagram of the mean shape, and the facts."""
    chosen = np.random.default_rng(seed).permutation(len(dataset))[:count]
    columns = min(4, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(7 + 1.8 * columns, max(5.5, 1.9 * rows + 1)), layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=[1.8 * columns, 7])
    left, right = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    for i, index in enumerate(chosen, 1):
        sample = dataset[int(index)]
        axes = left.add_subplot(rows, columns, i)
        axes.imshow(sample["image"])
        axes.plot(*sample["keypoints"].T, ".", color="#22ff66", markersize=2.5)
        axes.set_title(dataset.names[index], fontsize=6, parse_math=False)
        axes.axis("off")
    draw_diagram(right.add_subplot(), mean_shape(dataset.keypoints))
    right.suptitle(facts, fontsize=7, family="monospace", x=0.02, ha="left")
    with atomic(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the font may lack letters of a name
        figure.savefig(temporary, dpi=130)
