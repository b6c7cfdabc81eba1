"""Curves of training runs, drawn from the files they leave."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from numpynet.files import atomic
from numpynet.typing import Array

COLOURS = ("#2563eb", "#d97706", "#059669", "#7c3aed")


def plot_losses(runs: Mapping[str, Path], path: Path) -> None:
    """Draw the losses of one or more run directories, by label, into one picture (PNG, PDF or SVG).

    Thin: each step's loss; thick: its running mean; dots: the validation loss after each epoch. OSError where a
    file cannot be read or written.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for (label, directory), colour in zip(runs.items(), COLOURS * len(runs), strict=False):
        steps = _columns(directory / "steps.csv")
        epochs = _columns(directory / "metrics.csv")
        loss = steps["loss"]
        per_epoch = len(loss) / max(1, len(epochs["epoch"]))
        at = np.arange(1, len(loss) + 1) / per_epoch
        axes.plot(at, loss, color=colour, alpha=0.25, linewidth=0.7)
        axes.plot(at, _running_mean(loss), color=colour, linewidth=1.8, label=f"{label}: training")
        if np.isfinite(epochs["validation_loss"]).any():
            axes.plot(epochs["epoch"], epochs["validation_loss"], "o--", color=colour, label=f"{label}: validation")
    axes.set(xlabel="epoch", ylabel="loss", yscale="log")
    axes.grid(which="both", alpha=0.2)
    axes.legend()
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _columns(path: Path) -> dict[str, Array]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    numbers = np.array([[float(field or "nan") for field in row] for row in rows]).reshape(-1, len(header))
    return dict(zip(header, numbers.T, strict=True))


def _running_mean(values: Array, share: int = 30) -> Array:
    """The mean of each value and those before it, over a window of a thirtieth of all of them."""
    window = max(1, len(values) // share)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)
