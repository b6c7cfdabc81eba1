"""The sections of docs/benchmarks.md: for each kind of results a Markdown template and a function that fills it."""

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.contenders import FAST, PHASES

Results = dict[str, Any]
"""The contents of one machine's results files by their names without .json."""

TRAININGS = {
    "full network, batch 10": "train-net-10",
    "full network, batch 32": "train-net-32",
    "compact network, batch 10": "train-compact-10",
    "compact network, batch 32": "train-compact-32",
    "hourglass, batch 10": "train-hourglass-10",
    "hourglass, batch 32": "train-hourglass-32",
}
"""Titles, and the names of their results."""


def table(columns: list[str], rows: list[list[str]], names: int = 1) -> str:
    """A Markdown table. columns: their titles; the first `names` columns are aligned left, the others right."""
    header = "".join(f" {title} |" if title else " |" for title in columns)
    lines = ["|" + header, "|" + "---|" * names + "---:|" * (len(columns) - names)]
    lines += [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join(lines)


def ms(seconds: float, digits: int = 0) -> str:
    """Seconds as milliseconds."""
    return f"{1e3 * seconds:.{digits}f}"


TRAINING = """
### {title}
`python -m benchmarks train --model {settings[model]} --batch-size {settings[batch_size]}`.
Milliseconds, medians of {settings[steps]} steps. "over fast" is the median ratio of a step to the fast step beside it.

{table}

PyTorch at its best in this run: {best}. The fast contender's peak memory is {memory:.2f} times as large.
Its first step takes {cold[step]:.1f} s if the kernels must be compiled ({cold[from start]:.1f} s from the start of
the process), {warm[step]:.1f} s if they are in the cache ({warm[from start]:.1f} s).
"""


def training(results: Results) -> Iterator[str]:
    """A table for each network and batch size."""
    for title, name in TRAININGS.items():
        if name in results:
            yield _training(title, results[name])


def _training(title: str, found: Results) -> str:
    rows, best = found["rows"], found["best"]
    cells = []
    for name, row in rows.items():
        seconds, step = row["seconds"], row["seconds"]["step"]
        cells.append(
            [
                f"**{name}**" if name in (FAST, best) else name,
                *(ms(seconds[phase]["median"]) for phase in PHASES),
                f"{ms(step['q1'])} .. {ms(step['q3'])}",
                f"{found['settings']['batch_size'] / step['median']:.1f}",
                f"{row['facts']['peak_gb']:.2f}",
                f"{row['ratio']:.2f}",
            ]
        )
    return TRAINING.format(
        title=title,
        settings=found["settings"],
        table=table(
            ["", "forward", "backward", "optimizer", "step", "quartiles", "images/s", "peak GB", "over fast"], cells
        ),
        best=best,
        memory=rows[FAST]["facts"]["peak_gb"] / rows[best]["facts"]["peak_gb"],
        **found["first"],
    )


EPOCH = """
### {settings[steps]} steps on real frames, {settings[model]}, batch {settings[batch_size]}
`python -m benchmarks epoch --data DIR`. A background thread reads JPEG files and crops them with jitter.

{table}
"""


def epochs(results: Results) -> Iterator[str]:
    """Epochs with their loader."""
    for name in sorted(key for key in results if key.startswith("epoch-")):
        taken = results[name]["epochs"]
        fast = taken[FAST]["seconds"] / taken[FAST]["steps"]
        rows = [
            [
                contender,
                f"{row['seconds']:.1f} ({row['steps']} steps)",
                f"{100 * row['wait'] / row['seconds']:.2f} %",
                f"{row['seconds'] / row['steps'] / fast:.2f}",
            ]
            for contender, row in taken.items()
        ]
        columns = ["", "seconds", "waiting for images", "over fast"]
        yield EPOCH.format(settings=results[name]["settings"], table=table(columns, rows))


LAYERS = """
### Operation by operation, {settings[model]}, batch {settings[batch_size]}
`python -m benchmarks layers --model {settings[model]}`. Milliseconds of forward + backward. A ratio above 1 means that
PyTorch takes longer. All gradients are computed, even dx of the first convolution and the whole gradient of a Linear,
which training leaves out.

{table}

PyTorch is faster at: {slower}.
"""


def layers(results: Results) -> Iterator[str]:
    """Each operation of the network."""
    for name in sorted(key for key in results if key.startswith("layers-")):
        found = results[name]
        rows = []
        for row in found["rows"]:
            ours, theirs = (f"{ms(row[side][0], 2)} + {ms(row[side][1], 2)}" for side in ("numpynet", "torch"))
            ratio = f"{row['ratio']:.2f}" if row["ratio"] >= 1 else f"**{row['ratio']:.2f}**"
            flops = f"{row['numpynet GFLOP/s']:.0f}" if row["numpynet GFLOP/s"] else ""
            rows.append([row["operation"], ours, theirs, ratio, flops, f"{row['numpynet GB/s']:.1f}"])
        slower = [row["operation"] for row in found["rows"] if row["ratio"] < 1]
        yield LAYERS.format(
            settings=found["settings"],
            table=table(["", "numpynet", "PyTorch", "PyTorch / numpynet", "GFLOP/s", "GB/s"], rows),
            slower=", ".join(slower) if slower else "none of them",
        )


ROOFLINE = """
### The machine's limit, {settings[model]}
`python -m benchmarks roofline --model {settings[model]}`. Measured in the same run: {found[GFLOP/s]:.0f} GFLOP/s of
matrix products and {found[GB/s]:.0f} GB/s of memory traffic. The limit counts bytes that no implementation can avoid,
and the products of a convolution's definition; rules that need fewer may exceed it.

{table}
"""


def roofline(results: Results) -> Iterator[str]:
    """How near a step comes to the machine's limit."""
    for name in sorted(key for key in results if key.startswith("roofline-")):
        found = results[name]
        rows = [
            [
                f"{row['batch']}",
                f"{row['GFLOP']:.1f}",
                f"{row['GB']:.2f}",
                ms(row["limit"]),
                ms(row["step"]),
                f"{100 * row['share']:.0f} %",
            ]
            for row in found["rows"]
        ]
        columns = ["batch", "GFLOP", "GB", "limit, ms", "step, ms", "share reached"]
        yield ROOFLINE.format(found=found, settings=found["settings"], table=table(columns, rows, names=0))


SCALING = """
### Scaling, {model}
`python -m benchmarks scaling --model {model}`. Milliseconds per step and peak GB, at batch 10 unless the row says
otherwise. PyTorch is "{against}".

{table}
"""


def scaling(results: Results) -> Iterator[str]:
    """Time and memory against batch size, image size and threads."""
    for name in sorted(key for key in results if key.startswith("scaling-")):
        found = results[name]
        model, against = found["settings"]["model"], found["settings"]["against"]
        rows = []
        for what, title in {"batch_size": "batch size", "size": "image size", "threads": "threads"}.items():
            for row in found[what]:
                sides = [(ms(row[side]["step"]), f"{row[side]['peak_gb']:.2f}") for side in (FAST, against)]
                rows.append([f"{title} {row[what]}", *sides[0], *sides[1], f"{row['ratio']:.2f}"])
        columns = ["", "numpynet, fast", "GB", "PyTorch", "GB", "ratio"]
        yield SCALING.format(model=model, against=against, table=table(columns, rows))


LATENCY = """
### One face
`python -m benchmarks latency`. Milliseconds, medians.

{table}

A cold `fkp detect` on one photo takes {cold[numpy]:.2f} s, with PyTorch {cold[torch]:.2f} s (ratio {share:.2f}).
"""


def latency(results: Results) -> Iterator[str]:
    """The time for one face; networks that the stored results lack are left out."""
    if "latency" in results:
        found = results["latency"]
        titles = {
            "image": "decoded photo to keypoints",
            "net": "full network alone",
            "compact": "compact network alone",
            "hourglass": "hourglass alone",
        }
        shown = {what: title for what, title in titles.items() if what in found}
        sides = dict.fromkeys(side for what in reversed(shown) for side in found[what])  # a photo has fewer
        rows = [
            [title, *(ms(found[what][side], 1) if side in found[what] else "" for side in sides)]
            for what, title in shown.items()
        ]
        columns = ["", *("PyTorch" if side == "torch" else side for side in sides)]
        cold = found["cold"]
        yield LATENCY.format(table=table(columns, rows), cold=cold, share=cold["numpy"] / cold["torch"])


SECTIONS: list[Callable[[Results], Iterator[str]]] = [training, epochs, layers, roofline, scaling, latency]
"""Each yields its parts of the page, in this order; nothing if its results are missing."""
