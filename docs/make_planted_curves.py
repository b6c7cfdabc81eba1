"""Trains with every planted mistake over five seeds: docs/learn/planted.json, and its curves as one picture.

Run from the project's root: `python docs/make_planted_curves.py`, which takes some minutes. With --draw it only draws
the picture anew.
"""

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "learn")]
os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")

import numpy as np  # noqa: E402
from drawings.axes import Axes  # noqa: E402

from numpynet.learn.grids import Drawing  # noqa: E402
from numpynet.learn.lessons import loss_table  # noqa: E402
from numpynet.learn.lessons.trials import STEPS  # noqa: E402

DATA = ROOT / "docs" / "learn" / "planted.json"
PICTURE = ROOT / "docs" / "learn" / "figures" / "planted-curves.svg"
SEEDS = 5
DECADES = (-4, 1)
"""The powers of ten at the foot and at the head of the picture."""


def main() -> None:
    if "--draw" not in sys.argv:
        write(measured())
    PICTURE.write_text(drawn(json.loads(DATA.read_text("utf-8"))).svg(), "utf-8")


def measured() -> dict[str, Any]:
    """The table, its losses to five digits, with the command that prints it and the processor that it was made on."""
    rows = [
        {
            "name": row.name,
            "title": row.title,
            "gradcheck": row.gradcheck,
            "new_crops": [float(f"{loss:.5g}") for loss in row.new_crops],
            "losses": [[float(f"{loss:.5g}") for loss in losses] for losses in row.losses],
        }
        for row in loss_table.rows(SEEDS, STEPS)
    ]
    command = f"python -m numpynet.learn break --table --seeds {SEEDS} --steps {STEPS}"
    return {"command": command, "processor": processor(), "numpy": np.__version__, "rows": rows}


def write(data: dict[str, Any]) -> None:
    """The data as JSON, one row on each line."""
    rows = ",\n".join(json.dumps(row) for row in data.pop("rows"))
    DATA.write_text(json.dumps(data)[:-1] + ', "rows": [\n' + rows + "\n]}\n", "utf-8")


def processor() -> str:
    """What Linux calls the processor, or Python's name for it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def drawn(data: dict[str, Any]) -> Drawing:
    """The mean curve of every row in one colour; the grey band holds the right network's curves."""
    rows = [np.log10(row["losses"]) for row in data["rows"]]
    means = [np.log10(np.mean(row["losses"], axis=0)) for row in data["rows"]]
    steps = range(len(means[0]))
    d = Drawing(
        360,
        330,
        "The loss of each network, on a logarithmic scale",
        f"{len(rows)} curves in one colour, one of the right network. One rises. The others fall from about 0.3 "
        "to between 0.0002 and 0.004. Several lie in the grey band of the right network's curves.",
    )
    axes = Axes(d, 52, 34, 296, 240, (0, steps[-1]), DECADES)
    axes.frame(range(0, steps[-1] + 1, 20), (), f"{len(rows)} networks: {len(rows) - 1} with a mistake")
    for power in range(DECADES[0], DECADES[1] + 1):
        at = axes.at(0, power)
        d.add(f'<path class="faint" d="M{at[0]:.1f} {at[1]:.1f}h{axes.width:.1f}"/>')
        d.text(at[0] - 5, at[1] + 4, f"{10.0**power:g}" if power > -4 else "0.0001", size=12, kind="note", anchor="end")
    low, high = rows[0].min(axis=0), rows[0].max(axis=0)
    edge = [*zip(steps, low, strict=True), *reversed(list(zip(steps, high, strict=True)))]
    points = " ".join("{:.1f},{:.1f}".format(*axes.at(x, y)) for x, y in edge)
    d.add(f'<polygon points="{points}" class="c7" fill-opacity="0.45"/>')
    for mean in means:
        axes.curve(list(zip(steps, mean, strict=True)), kind="cool", thick=1.2)
    d.text(axes.left + axes.width / 2, 312, "step", size=14)
    d.text(12, 26, "loss", size=14, anchor="start")
    return d


if __name__ == "__main__":
    main()
