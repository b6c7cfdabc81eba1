"""Figures and tables of an evaluation: NME with its interval, failures, AUC, CED; errors by region, roll and size."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fkp_app.data.dataset import FacialKeypointsDataset
from fkp_app.evaluation.metrics import (
    LIMIT,
    REGIONS,
    auc,
    bootstrap_interval,
    ced,
    failure_rate,
    region_errors,
    roll,
)
from fkp_app.evaluation.protocols import Result
from fkp_app.geometry.keypoint_layout import interocular
from numpynet.typing import Array

LEVELS = np.linspace(0, LIMIT, 41)
"""The levels of the CED curve, in percent NME."""

ROLLS = {"<5°": (0, 5), "5-15°": (5, 15), "15-30°": (15, 30), ">30°": (30, 181)}
SIZES = {"<30 px": (0, 30), "30-45 px": (30, 45), "45-60 px": (45, 60), ">60 px": (60, np.inf)}
"""Bins (low <= x < high) of the eye line's roll, in degrees, and of the outer-eye distance in the frame, in pixels."""

WORST = 10
"""Number of the worst frames that the JSON names."""

Bins = dict[str, tuple[int, float | None]]
"""Per bin: the number of faces, and their mean NME, which is None for an empty bin."""


@dataclass(frozen=True)
class Summary:
    """The figures of a row, in percent except `auc` (0 .. 1), `ced` (0 .. 1 at each of LEVELS) and the two losses.

    nme_interval: 95 % bootstrap over people. Figures are None if there is no face.
    """

    model: str
    protocol: str
    faces: int
    people: int
    nme: float | None
    nme_interval: tuple[float, float] | None
    nme_median: float | None
    failures: float | None
    auc: float | None
    mse: float | None
    smooth_l1: float | None
    regions: dict[str, float | None]
    rolls: Bins
    sizes: Bins
    ced: list[float] | None


def summarise(row: Result) -> Summary:
    """The figures of a row."""
    some, errors, people = len(row.frames) > 0, row.errors, len(set(row.people))
    by_region = region_errors(row.predicted, row.truth)
    return Summary(
        model=row.model,
        protocol=row.protocol,
        faces=len(errors),
        people=people,
        nme=float(errors.mean()) if some else None,
        nme_interval=bootstrap_interval(errors, row.people) if some else None,
        nme_median=float(np.median(errors)) if some else None,
        failures=failure_rate(errors) if some else None,
        auc=auc(errors) if some else None,
        mse=row.scores.mse if row.scores else None,
        smooth_l1=row.scores.smooth_l1 if row.scores else None,
        regions={name: float(by_region[name].mean()) if some else None for name in REGIONS},
        rolls=binned(errors, roll(row.truth), ROLLS),
        sizes=binned(errors, interocular(row.truth), SIZES),
        ced=ced(errors, LEVELS).tolist() if some else None,
    )


def binned(errors: Array, values: Array, bins: Mapping[str, tuple[float, float]]) -> Bins:
    """For each bin, the number and the mean of the errors (F,) whose value (F,) lies in it."""
    inside = {name: errors[(low <= values) & (values < high)] for name, (low, high) in bins.items()}
    return {name: (len(part), float(part.mean()) if len(part) else None) for name, part in inside.items()}


def to_dict(rows: Sequence[Result], dataset: FacialKeypointsDataset) -> list[dict[str, Any]]:
    """Every row for JSON: figures, worst frames, and for end-to-end rows the missed frames and the false boxes."""
    return [asdict(summarise(row)) | {"worst": _worst(row, dataset)} | _detection(row, dataset) for row in rows]


def tables(rows: Sequence[Result]) -> str:
    """The figures as Markdown tables with aligned columns."""
    found = [summarise(row) for row in rows]
    names = [f"{one.model}: {one.protocol}" for one in found]
    parts = [
        markdown_table(
            ["NME in % of the outer-eye distance", "faces", "mean", "95 %", "median", ">10 %", "AUC", *LOSSES.values()],
            [[name, str(one.faces), *_figures(one)] for name, one in zip(names, found, strict=True)],
        ),
        markdown_table(
            ["by region", *REGIONS],
            [[name, *map(_short, one.regions.values())] for name, one in zip(names, found, strict=True)],
        ),
    ]
    for title, field in (("by roll (faces)", "rolls"), ("by outer-eye distance (faces)", "sizes")):
        bins: list[Bins] = [getattr(one, field) for one in found]
        cells = [[f"{_short(mean)} ({count})" for count, mean in each.values()] for each in bins]
        parts.append(markdown_table([title, *bins[0]], [[n, *c] for n, c in zip(names, cells, strict=True)]))
    searched = [row for row in rows if row.detections is not None]
    if searched:
        heads = ["in whole frames", "frames", "right face found", "frames with a false face", "false a frame"]
        parts.append(markdown_table(heads, [[row.model, *_shares(row)] for row in searched]))
    return "\n\n".join(parts) + "\n"


LOSSES = {"mse": "MSE", "smooth_l1": "SmoothL1"}


def _figures(one: Summary) -> list[str]:
    low, high = one.nme_interval or (None, None)
    losses = ["-" if value is None else f"{value:.5f}" for value in (one.mse, one.smooth_l1)]
    if one.nme is None:
        return ["-"] * 5 + losses
    return [
        f"{one.nme:.3f} %",
        f"{_short(low)}-{_short(high)}",
        f"{one.nme_median:.3f} %",
        f"{one.failures:.1f} %",
        f"{one.auc:.3f}",
        *losses,
    ]


def _shares(row: Result) -> list[str]:
    figures = detection_figures(row)
    return [
        str(figures["frames"]),
        f"{figures['found']:.1f} %",
        f"{figures['frames_with_false']:.1f} %",
        f"{figures['false_per_frame']:.3f}",
    ]


def detection_figures(row: Result) -> dict[str, float]:
    """For an end-to-end row: frames; found and frames_with_false, in percent of the frames; false_per_frame."""
    assert row.detections is not None
    false = [len(boxes) for boxes in row.detections.false]
    return {
        "frames": len(false),
        "found": 100 * float(np.mean(row.detections.found)),
        "frames_with_false": 100 * float(np.mean(np.array(false) > 0)),
        "false_per_frame": float(np.mean(false)),
    }


def frame_name(dataset: FacialKeypointsDataset, index: int) -> str:
    """Folder and file name: the two folders of the data set hold different frames of the same name."""
    path = dataset.paths[index]
    return f"{path.parent.name}/{path.name}"


def _detection(row: Result, dataset: FacialKeypointsDataset) -> dict[str, Any]:
    if row.detections is None:
        return {}
    names = [frame_name(dataset, i) for i in range(len(dataset))]
    missed = [name for name, found in zip(names, row.detections.found, strict=True) if not found]
    false = {name: boxes for name, boxes in zip(names, row.detections.false, strict=True) if boxes}
    return {"detection": detection_figures(row) | {"missed": missed, "false": false}}


def _worst(row: Result, dataset: FacialKeypointsDataset) -> dict[str, float]:
    errors = row.errors
    return {frame_name(dataset, row.frames[i]): float(errors[i]) for i in np.argsort(-errors)[:WORST]}


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def markdown_table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with aligned columns: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]

    def line(cells: list[str]) -> str:
        first, *rest = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *rest]) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(heads), rule, *map(line, rows)])
