"""The pictures of the results. Each function writes a picture and returns its path, or None if results are missing."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.contenders import COURSE, FAST

mpl.use("Agg")
from matplotlib import pyplot as plt

OURS, THEIRS, LIMIT = "#1b6ca8", "#c8553d", "#7a7a7a"


def plot_ladder(results: dict[str, Any], path: Path) -> Path | None:
    """Bars: a step of the full network at batch 10, from the slowest contender to the machine's limit."""
    if "train-net-10" not in results or "roofline-net" not in results:
        return None
    found = results["train-net-10"]
    steps = {name: 1e3 * row["seconds"]["step"]["median"] for name, row in found["rows"].items()}
    wanted = [COURSE, "numpynet, readable", found["best"], "numpynet, fast, not fused", FAST]
    bars = sorted(((name, steps[name]) for name in wanted), key=lambda bar: -bar[1])
    limit = next(row for row in results["roofline-net"]["rows"] if row["batch"] == 10)["limit"]
    bars.append(("what the machine allows", 1e3 * limit))
    figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
    colours = [LIMIT if "allows" in name else THEIRS if "torch" in name else OURS for name, _ in bars]
    drawn = axes.barh([name for name, _ in bars][::-1], [ms for _, ms in bars][::-1], color=colours[::-1])
    axes.bar_label(drawn, fmt="%.0f ms", padding=3)
    axes.set_xlabel("one training step, full network, batch 10 (ms)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    return _save(figure, path)


def plot_layers(results: dict[str, Any], name: str, path: Path) -> Path | None:
    """Bars: PyTorch's time over numpynet's for each operation of these results; 1 means that both are equally fast."""
    if name not in results:
        return None
    rows = results[name]["rows"][::-1]
    figure, axes = plt.subplots(figsize=(8, 0.28 * len(rows) + 1), layout="constrained")
    ratios = [row["ratio"] for row in rows]
    colours = [OURS if ratio >= 1 else THEIRS for ratio in ratios]
    axes.set_xscale("log")
    axes.barh([row["operation"] for row in rows], [ratio - 1 for ratio in ratios], left=1, color=colours)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xticks([0.7, 1, 2, 4, 8], ["0.7", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.margins(y=0.01)
    axes.set_xlabel("PyTorch's time / numpynet's time, forward and backward (log scale)")
    axes.spines[["top", "right"]].set_visible(False)
    return _save(figure, path)


def plot_scaling(results: dict[str, Any], path: Path) -> Path | None:
    """Curves of the full network's time (upper row) and memory against batch size, image size and threads."""
    if "scaling-net" not in results:
        return None
    found = results["scaling-net"]
    names = {FAST: OURS, found["settings"]["against"]: THEIRS}
    figure, grid = plt.subplots(2, 3, figsize=(10, 5), layout="constrained", sharey="row")
    for column, what in enumerate(("batch_size", "size", "threads")):
        for name, colour in names.items():
            places = [row[what] for row in found[what]]
            grid[0, column].plot(
                places, [1e3 * row[name]["step"] for row in found[what]], "o-", color=colour, label=name
            )
            grid[1, column].plot(places, [row[name]["peak_gb"] for row in found[what]], "o-", color=colour)
        grid[1, column].set_xlabel({"batch_size": "batch size", "size": "image size, px", "threads": "threads"}[what])
        grid[0, column].set_yscale("log")
        if what == "threads":
            for axes in grid[:, column]:
                axes.set_xticks(places)
    grid[0, 0].set_ylabel("step, ms (log scale)")
    grid[1, 0].set_ylabel("peak memory, GB")
    grid[1, 0].set_ylim(bottom=0)
    grid[0, 0].legend(frameon=False)
    return _save(figure, path)


def _save(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
