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
sys.path.insert(0, str(ROOT))
os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")

import matplotlib  # noqa: E402

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from numpynet.learn.lessons import loss_table  # noqa: E402
from numpynet.learn.lessons.trials import STEPS  # noqa: E402

DATA = ROOT / "docs" / "learn" / "planted.json"
PICTURE = ROOT / "docs" / "learn" / "figures" / "planted-curves.svg"
SEEDS = 5
COLOUR = "#2f6fab"


def main() -> None:
    if "--draw" not in sys.argv:
        write(measured())
    PICTURE.parent.mkdir(exist_ok=True)
    draw(json.loads(DATA.read_text("utf-8")))


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


def draw(data: dict[str, Any]) -> None:
    """The mean curve of every row in one colour; the grey band holds the right network's five curves."""
    plt.rcParams |= {"svg.hashsalt": "planted", "svg.fonttype": "path", "font.size": 11}
    figure, axes = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
    right = np.array(data["rows"][0]["losses"])
    steps = range(right.shape[1])
    axes.fill_between(steps, right.min(axis=0), right.max(axis=0), color="0.85", linewidth=0)
    for row in data["rows"]:
        axes.plot(steps, np.array(row["losses"]).mean(axis=0), color=COLOUR, linewidth=1.1, alpha=0.75)
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_title(f"{len(data['rows'])} networks, all but one with a wrong gradient or update")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
