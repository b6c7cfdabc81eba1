"""From readable to fast: one training step of the full network, as `python -m benchmarks` measured it."""

import json
from pathlib import Path

from numpynet.learn.grids import Drawing

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results" / "amd-epyc-family-26-model-2-2-cores"
RUNGS = {
    "numpynet, readable": ("the code of these pages", ""),
    "numpynet, fast, not fused": ("the same functions in compiled loops", "cool"),
    "numpynet, fast": ("neighbouring layers computed as one", "cool"),
}
"""The rows of the result that are shown: what each is, and its colour."""


def ladder() -> Drawing:
    """A bar for each way to compute the step, and one for the machine's limit."""
    measured = json.loads((RESULTS / "train-net-10.json").read_text())
    roofline = json.loads((RESULTS / "roofline-net.json").read_text())
    rows, best = measured["rows"], measured["best"]
    bars = [(name, note, 1e3 * rows[name]["seconds"]["step"]["median"], kind) for name, (note, kind) in RUNGS.items()]
    bars.append((best, "the fastest PyTorch", 1e3 * rows[best]["seconds"]["step"]["median"], "back"))
    limit = next(row["limit"] for row in roofline["rows"] if row["batch"] == 10)
    bars.append(("what the machine allows", "only its arithmetic and its memory", 1e3 * limit, "note"))
    bars.sort(key=lambda bar: -bar[2])
    longest = bars[0][2]
    said = "; ".join(f"{name}: {milliseconds:.0f} ms" for name, _, milliseconds, _ in bars)
    d = Drawing(
        360,
        34 + 62 * len(bars),
        "From readable to fast",
        f"One training step of the full network with ten images, on {measured['machine']['cores']} cores. {said}.",
    )
    d.text(10, 20, "one training step of the full network, ten images", size=14, kind="note", anchor="start")
    for i, (name, note, milliseconds, kind) in enumerate(bars):
        top = 34 + 62 * i
        d.text(10, top + 16, name, size=14, kind=kind, anchor="start", bold=True)
        d.text(10, top + 52, note, size=12, kind="note", anchor="start")
        length = 270 * milliseconds / longest
        colour = {"cool": "tip cool", "back": "tip back"}.get(kind, "tip")
        opacity = 0.4 if kind == "note" else 0.8
        d.add(f'<rect x="10" y="{top + 22}" width="{length:.1f}" height="14" class="{colour}" opacity="{opacity}"/>')
        d.text(16 + length, top + 34, f"{milliseconds:.0f} ms", size=14, anchor="start")
    return d
