"""`python -m benchmarks report`: the results files as tables and pictures, in docs/benchmarks.md and the README.

Every figure there comes from a file in benchmarks/results, which the other subcommands write with `--json`.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.contenders import COURSE, FAST
from benchmarks.plots import plot_ladder, plot_layers, plot_scaling
from numpynet.files import atomic

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"

TRAINING = {
    "full network, batch 10": "train-net-10",
    "full network, batch 32": "train-net-32",
    "compact network, batch 10": "train-compact-10",
    "compact network, batch 32": "train-compact-32",
}


def training(results: dict[str, Any]) -> Iterator[str]:
    """A table for each network and batch size."""
    for title, name in TRAINING.items():
        if name not in results:
            continue
        found = results[name]
        best = found["best"]
        yield f"\n### {title}\n"
        yield (
            f"`python -m benchmarks train --model {found['settings']['model']} --batch-size "
            f"{found['settings']['batch_size']}`. "
        )
        yield (
            f"Milliseconds, medians of {found['settings']['steps']} steps; the ratio is the median "
            f"of the steps' ratios, pair by pair."
        )
        yield "\n| | forward | backward | optimizer | step | quartiles | images/s | peak GB | over fast |"
        yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
        for who, row in found["rows"].items():
            seconds = row["seconds"]
            cells = [f"{1e3 * seconds[p]['median']:.0f}" for p in ("forward", "backward", "optimizer", "step")]
            cells.append(f"{1e3 * seconds['step']['q1']:.0f} .. {1e3 * seconds['step']['q3']:.0f}")
            cells.append(f"{found['settings']['batch_size'] / seconds['step']['median']:.1f}")
            cells += [f"{row['facts']['peak_gb']:.2f}", f"{row['ratio']:.2f}"]
            yield f"| {'**' + who + '**' if who in (FAST, best) else who} | " + " | ".join(cells) + " |"
        memory = found["rows"][FAST]["facts"]["peak_gb"] / found["rows"][best]["facts"]["peak_gb"]
        yield f"\nPyTorch at its best in this run: {best}. Peak memory of the fast one: {memory:.2f} of that."
        first = found["first"]
        yield (
            f"First step: {first['cold']['step']:.1f} s with kernels to compile "
            f"({first['cold']['from start']:.1f} s from the"
        )
        yield (
            f"process's start), {first['warm']['step']:.1f} s with compiled ones ({first['warm']['from start']:.1f} s)."
        )


def epochs(results: dict[str, Any]) -> Iterator[str]:
    """An epoch with its loader."""
    for name in sorted(key for key in results if key.startswith("epoch-")):
        found, settings = results[name], results[name]["settings"]
        yield f"\n### {settings['steps']} steps on real frames, {settings['model']}, batch {settings['batch_size']}\n"
        yield "`python -m benchmarks epoch --data DIR`; JPEG files read, cropped and jittered by a background thread."
        yield "\n| | seconds | waiting for images | over fast |"
        yield "|---|---:|---:|---:|"
        for who, row in found["epochs"].items():
            share = f"{100 * row['wait'] / row['seconds']:.2f} %"
            ratio = row["seconds"] / row["steps"] / (found["epochs"][FAST]["seconds"] / found["epochs"][FAST]["steps"])
            yield f"| {who} | {row['seconds']:.1f} ({row['steps']} steps) | {share} | {ratio:.2f} |"


def layers(results: dict[str, Any]) -> Iterator[str]:
    """Each operation."""
    for name in sorted(key for key in results if key.startswith("layers-")):
        found, settings = results[name], results[name]["settings"]
        yield f"\n### Operation by operation, {settings['model']}, batch {settings['batch_size']}\n"
        yield (
            "`python -m benchmarks layers`. Milliseconds forward + backward; above 1, PyTorch "
            "takes longer. All gradients are made,"
        )
        yield "dx of the first convolution and the whole gradient of a Linear included, which training leaves out.\n"
        yield "| | numpynet | PyTorch | PyTorch / numpynet | GFLOP/s | GB/s |"
        yield "|---|---:|---:|---:|---:|---:|"
        for row in found["rows"]:
            times = [f"{1e3 * row[side][0]:.2f} + {1e3 * row[side][1]:.2f}" for side in ("numpynet", "torch")]
            flops = f"{row['numpynet GFLOP/s']:.0f}" if row["numpynet GFLOP/s"] else ""
            ratio = f"{row['ratio']:.2f}" if row["ratio"] >= 1 else f"**{row['ratio']:.2f}**"
            yield f"| {row['operation']} | {times[0]} | {times[1]} | {ratio} | {flops} | {row['numpynet GB/s']:.1f} |"
        slower = [row["operation"] for row in found["rows"] if row["ratio"] < 1]
        yield f"\nPyTorch is faster at: {', '.join(slower) if slower else 'none of them'}."


def roofline(results: dict[str, Any]) -> Iterator[str]:
    """How near the machine's limit."""
    if "roofline" not in results:
        return
    found = results["roofline"]
    yield "\n### The machine's limit\n"
    yield (
        f"`python -m benchmarks roofline`: matrix products {found['GFLOP/s']:.0f} GFLOP/s, "
        f"copying {found['GB/s']:.0f} GB/s, measured in the"
    )
    yield "same run. The limit counts only operations and bytes that no implementation could do without.\n"
    yield "| batch | GFLOP | GB | limit, ms | step, ms | share reached |"
    yield "|---:|---:|---:|---:|---:|---:|"
    for row in found["rows"]:
        yield (
            f"| {row['batch']} | {row['GFLOP']:.1f} | {row['GB']:.2f} | {1e3 * row['limit']:.0f} | "
            f"{1e3 * row['step']:.0f} | {100 * row['share']:.0f} % |"
        )


def scaling(results: dict[str, Any]) -> Iterator[str]:
    """Against batch size, image size and threads."""
    if "scaling" not in results:
        return
    found = results["scaling"]
    other = found["settings"]["against"]
    yield "\n### Scaling\n"
    yield (
        f"`python -m benchmarks scaling`: full network, batch 10 unless told; milliseconds and "
        f"peak GB; beside it {other}.\n"
    )
    yield "| | numpynet, fast | GB | PyTorch | GB | ratio |"
    yield "|---|---:|---:|---:|---:|---:|"
    for what, title in {"batch_size": "batch size", "size": "image size", "threads": "threads"}.items():
        for row in found[what]:
            ours, theirs = row[FAST], row[other]
            yield (
                f"| {title} {row[what]} | "
                f"{1e3 * ours['step']:.0f} | {ours['peak_gb']:.2f} | {1e3 * theirs['step']:.0f} | "
                f"{theirs['peak_gb']:.2f} | {row['ratio']:.2f} |"
            )


def latency(results: dict[str, Any]) -> Iterator[str]:
    """One face."""
    if "latency" not in results:
        return
    found = results["latency"]
    yield "\n### One face\n"
    yield "`python -m benchmarks latency`; milliseconds, medians.\n"
    sides = ["PyTorch" if side == "torch" else side for side in found["image"]]
    yield f"| | {' | '.join(sides)} |"
    yield "|---|" + "---:|" * len(sides)
    titles = {
        "image": "decoded photo to keypoints",
        "net": "full network alone",
        "compact": "compact network alone",
        "hourglass": "hourglass alone",
    }
    for what, title in ((what, title) for what, title in titles.items() if what in found):
        yield f"| {title} | " + " | ".join(f"{1e3 * s:.1f}" for s in found[what].values()) + " |"
    cold = found["cold"]
    share = cold["numpy"] / cold["torch"]
    yield (
        f"\nA cold `fkp detect` on one photo: {cold['numpy']:.2f} s of wall time; with PyTorch "
        f"{cold['torch']:.2f} s ({share:.2f})."
    )


def readme(results: dict[str, Any]) -> Iterator[str]:
    """The few rows that the README shows."""
    columns = {title: results[name] for title, name in TRAINING.items() if name in results}
    yield "| a training step, ms | " + " | ".join(columns) + " |"
    yield "|---|" + "---:|" * len(columns)
    names = {"**numpynet, fast**": FAST, "numpynet, readable": "numpynet, readable", "PyTorch at its best": "best"}
    for title, name in (names | {"PyTorch, as the course writes it": COURSE}).items():
        rows = [found["rows"][found["best"] if name == "best" else name] for found in columns.values()]
        cells = [row["seconds"]["step"]["median"] for row in rows]
        yield f"| {title} | " + " | ".join(f"{1e3 * cell:.0f}" for cell in cells) + " |"
    ratios = [f"{found['rows'][found['best']]['ratio']:.2f}" for found in columns.values()]
    yield "| best PyTorch / fast, step by step | " + " | ".join(ratios) + " |"
    ratios = [f"{found['rows'][COURSE]['ratio']:.2f}" for found in columns.values()]
    yield "| course's loop / fast, step by step | " + " | ".join(ratios) + " |"
    memory = [(found["rows"][FAST], found["rows"][found["best"]]) for found in columns.values()]
    shown = [f"{a['facts']['peak_gb']:.2f} / {b['facts']['peak_gb']:.2f}" for a, b in memory]
    yield "| peak memory, fast / best PyTorch, GB | " + " | ".join(shown) + " |"


def machine_of(results: dict[str, Any]) -> str:
    """The machine on which all was measured; several, if there were several."""
    lines = set()
    for found in results.values():
        m = found["machine"]
        versions = f"Python {m['python']}, NumPy {m['numpy']}, PyTorch {m['torch']}"
        lines.add(f"{m['processor']}, {m['cores_usable']} cores; {versions}")
    return "\n".join(sorted(lines))


SECTIONS: list[Callable[[dict[str, Any]], Iterator[str]]] = [training, epochs, layers, roofline, scaling, latency]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks report", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    args = parser.parse_args()
    results = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(args.results.glob("*.json"))}
    pictures = args.docs / "pictures"
    drawn = [
        ("From readable to fast, and what the machine allows", plot_ladder(results, pictures / "ladder.png")),
        ("PyTorch's time over numpynet's, operation by operation", plot_layers(results, pictures / "layers.png")),
        ("Time and memory of a step", plot_scaling(results, pictures / "scaling.png")),
    ]
    lines = ["# Benchmarks", "", "Made by `python -m benchmarks report` from the files in `benchmarks/results`.", ""]
    lines += [machine_of(results), ""]
    lines += [f"![{title}](pictures/{path.name})" for title, path in drawn if path is not None]
    for section in SECTIONS:
        lines += section(results)
    _write(args.docs / "benchmarks.md", "\n".join(line.rstrip() for line in lines) + "\n")
    text = args.readme.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    _write(args.readme, f"{before}{BEGIN}\n" + "\n".join(readme(results)) + f"\n{END}{after}")
    return 0


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")
