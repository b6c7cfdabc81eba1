"""Pictures of an evaluation: CED curves, bars of the errors by region, roll and size, and the best and worst frames."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fkp_app.data.dataset import FacialKeypointsDataset
from fkp_app.evaluation.metrics import LIMIT, ced
from fkp_app.evaluation.protocols import MEAN_FACE, Result
from fkp_app.evaluation.summary import frame_name, summarise
from fkp_app.geometry.framing import face_square
from fkp_app.wording import count_of
from numpynet.files import atomic

TRUTH, PREDICTION = "#22ff66", "#ff3b6b"
STYLES = ("-", "--", ":", "-.")
COLUMNS = 6
"""Number of best frames, of median frames and of worst frames on the sheet."""

COLOURS = ("#2563eb", "#d97706", "#059669", "#7c3aed")


def plot_ced(rows: Sequence[Result], path: Path) -> None:
    """Draw the CED curve of every row: one colour per model, one line style per protocol."""
    models = list(dict.fromkeys(row.model for row in rows))
    protocols = list(dict.fromkeys(row.protocol for row in rows))
    levels = np.linspace(0, LIMIT, 401)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        if not len(row.frames):
            continue
        axes.plot(
            levels,
            100 * ced(row.errors, levels),
            color=COLOURS[models.index(row.model) % len(COLOURS)],
            linestyle=STYLES[protocols.index(row.protocol) % len(STYLES)],
            linewidth=0.7 if row.protocol.startswith("rotated") else 1.8,
            label=f"{row.model}: {row.protocol}",
        )
    axes.set(xlabel="NME, % of the outer-eye distance", ylabel="faces with at most this NME, %")
    axes.set(xlim=(0, LIMIT), ylim=(0, 100))
    axes.grid(alpha=0.2)
    figure.legend(fontsize=8, loc="outside right upper", frameon=False)
    _save(figure, path)


def plot_errors(rows: Sequence[Result], path: Path) -> None:
    """Draw bars of the mean NME by region, roll and outer-eye distance, for the protocols "crop" and "end to end".

    The mean face is left out: its bars would dwarf the others.
    """
    shown = [summarise(row) for row in rows if row.model != MEAN_FACE and row.protocol in ("crop", "end to end")]
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    columns = figure.subplots(1, 3, sharey=True)
    names = [f"{one.model}: {one.protocol}" for one in shown]
    _bars(columns[0], "by region", [one.regions for one in shown], names, list(shown[0].regions))
    for axes, title, field in ((columns[1], "by roll", "rolls"), (columns[2], "by outer-eye distance", "sizes")):
        bins = [getattr(one, field) for one in shown]
        labels = [f"{name}\n{count_of(count, 'face')}" for name, (count, _) in bins[0].items()]
        _bars(axes, title, [{name: mean for name, (_, mean) in each.items()} for each in bins], names, labels)
    columns[0].set_ylabel("NME, % of the outer-eye distance")
    columns[0].legend(*columns[0].get_legend_handles_labels(), fontsize=8, frameon=False)
    _save(figure, path)


def draw_sheet(row: Result, dataset: FacialKeypointsDataset, path: Path) -> None:
    """Draw the row's best, median and worst frames around the face, with the predicted and the labelled points."""
    order = np.argsort(row.errors, kind="stable")
    count = min(COLUMNS, len(order))
    middle = (len(order) - count) // 2
    chosen = {"best": order[:count], "median": order[middle : middle + count], "worst": order[len(order) - count :]}
    figure = Figure(figsize=(2 * count + 0.4, 7), layout="constrained")
    grid = figure.subplots(3, count, squeeze=False)
    for line, (title, places) in zip(grid, chosen.items(), strict=True):
        for axes, place in zip(line, places, strict=True):
            _frame(axes, row, int(place), dataset)
        first = line[0].title
        first.set_text(f"{title}\n{first.get_text()}")
    title = f"{row.model}: {row.protocol}. Labelled points green, predicted ones red; NME in %"
    figure.suptitle(title, fontsize=9, parse_math=False)
    _save(figure, path)


def _frame(axes: Axes, row: Result, place: int, dataset: FacialKeypointsDataset) -> None:
    """Draw the face at position `place` of the row."""
    index = row.frames[place]
    image, truth, predicted = dataset[index]["image"], row.truth[place], row.predicted[place]
    axes.imshow(image)
    axes.plot(*truth.T, ".", color=TRUTH, markersize=2.5)
    axes.plot(*predicted.T, ".", color=PREDICTION, markersize=2.5)
    cx, cy, side = face_square(truth)
    half = 0.75 * side
    axes.set(xlim=(cx - half, cx + half), ylim=(cy + half, cy - half))
    axes.set_title(f"{row.errors[place]:.1f} %  {frame_name(dataset, index)}", fontsize=5.5, parse_math=False)
    axes.axis("off")


def _bars(
    axes: Axes, title: str, heights: Sequence[dict[str, float | None]], names: Sequence[str], labels: Sequence[str]
) -> None:
    """One group of bars per label; in each group one bar per name."""
    at, width = np.arange(len(labels)), 0.8 / len(heights)
    for i, (name, each) in enumerate(zip(names, heights, strict=True)):
        tops = [value or 0.0 for value in each.values()]
        places = at + (i - (len(heights) - 1) / 2) * width
        axes.bar(places, tops, width, label=name, color=f"C{i}")
    axes.set_xticks(at, labels, fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.grid(axis="y", alpha=0.2)


def _save(figure: Figure, path: Path) -> None:
    with atomic(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # names may hold letters that the font lacks
        figure.savefig(temporary, dpi=130)
