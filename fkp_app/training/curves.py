"""The curves of training runs, drawn from their CSV files."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fkp_app.evaluation.pictures import COLOURS
from numpynet.files import atomic
from numpynet.typing import Array


def plot_losses(runs: Mapping[str, Path], path: Path) -> None:
    """Draw the curves of one or more runs into one picture (PNG, PDF or SVG). runs: from a label to a run's directory.

    Left, the loss: a thin line for each step, a thick line for the running mean, dots for validation. Right, if any run
    has it, the validation NME, with a ring around the best epoch. OSError if a file cannot be read or written.
    """
    curves = {label: (_columns(run / "steps.csv"), _columns(run / "metrics.csv")) for label, run in runs.items()}
    validated = any(np.isfinite(epochs["validation_nme"]).any() for _, epochs in curves.values())
    figure = Figure(figsize=(13, 4.5) if validated else (8, 4.5), layout="constrained")
    grid = figure.subplots(1, 1 + validated, squeeze=False)[0]
    for (label, (steps, epochs)), colour in zip(curves.items(), COLOURS * len(curves), strict=False):
        _draw_losses(grid[0], label, steps, epochs, colour)
        if validated:
            _draw_nme(grid[1], label, epochs, colour)
    for axes, what in zip(grid, ("loss", "validation NME (%)"), strict=False):
        axes.set(xlabel="epoch", ylabel=what, yscale="log")
        axes.grid(which="both", alpha=0.2)
        axes.legend()
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw_losses(axes: Axes, label: str, steps: dict[str, Array], epochs: dict[str, Array], colour: str) -> None:
    whole = max(1, len(epochs["epoch"]))
    loss = steps["loss"][steps["epoch"] <= whole]  # a run that goes on within an epoch has some of the next one's steps
    at: Array = np.arange(1, len(loss) + 1) * whole / len(loss)
    axes.plot(at, loss, color=colour, alpha=0.25, linewidth=0.7)
    axes.plot(at, _running_mean(loss), color=colour, linewidth=1.8, label=f"{label}: training")
    seen = np.isfinite(epochs["validation_loss"])
    if seen.any():
        at, loss = epochs["epoch"][seen], epochs["validation_loss"][seen]
        axes.plot(at, loss, "o--", color=colour, label=f"{label}: validation")


def _draw_nme(axes: Axes, label: str, epochs: dict[str, Array], colour: str) -> None:
    seen = np.isfinite(epochs["validation_nme"])
    if not seen.any():
        return
    at, nme = epochs["epoch"][seen], epochs["validation_nme"][seen]
    best = int(np.argmin(nme))
    axes.plot(at, nme, "o-", markersize=3, color=colour, label=f"{label}: {nme[best]:.2f} % after epoch {at[best]:.0f}")
    axes.plot(at[best], nme[best], "o", markersize=9, markerfacecolor="none", color=colour)


def _columns(path: Path) -> dict[str, Array]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    numbers = np.array([[float(field or "nan") for field in row] for row in rows]).reshape(-1, len(header))
    return dict(zip(header, numbers.T, strict=True))


def _running_mean(values: Array, share: int = 30) -> Array:
    """The mean of each value and those before it, over a window of 1/share of all values."""
    window = max(1, len(values) // share)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)
