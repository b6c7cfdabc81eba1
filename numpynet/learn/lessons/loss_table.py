"""What each planted mistake does to the loss of a small network, over several seeds, and what gradcheck says."""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet.gradcheck.cases import CASES
from numpynet.learn.errors import LearnError
from numpynet.learn.lessons.plant import Bug, bugs, planted
from numpynet.learn.lessons.trials import trial

MOST_SEEDS, MOST_STEPS = 50, 1000
"""Of the table; the largest one takes hours."""


@dataclass(frozen=True)
class Row:
    """One mistake, or none. losses: one list for each seed, before each step and after the last; new_crops likewise."""

    name: str
    title: str
    losses: list[list[float]]
    new_crops: list[float]
    gradcheck: str


def rows(seeds: int, steps: int, names: Iterable[str] | None = None) -> list[Row]:
    """Train without a mistake and with each one of the table, or each one named.

    LearnError if there are no seeds or steps, or more than MOST_SEEDS or MOST_STEPS.
    """
    for option, value, most in (("--seeds", seeds, MOST_SEEDS), ("--steps", steps, MOST_STEPS)):
        if not 1 <= value <= most:
            raise LearnError(f"{option} must be 1 to {most}, got {value}")
    chosen = [bug for bug in bugs().values() if (bug.table if names is None else bug.name in names)]
    found = []
    for bug in [None, *chosen]:
        trials = [trial(bug, seed, steps) for seed in range(seeds)]
        name, title = ("nothing", "nothing") if bug is None else (bug.name, bug.title)
        says = "every gradient is right" if bug is None else verdict(bug)
        found.append(Row(name, title, [t.losses for t in trials], [t.new_crops for t in trials], says))
    return found


def verdict(bug: Bug) -> str:
    """What gradcheck says about the mistake: the first gradient that is wrong, and the likely cause."""
    with planted(bug):
        findings = CASES[bug.case](np.random.default_rng(0), **bug.options)
    return next((f"{finding.name}: {finding.cause}" for finding in findings if not finding.passed), "NOT CAUGHT")


def shown_steps(steps: int) -> list[int]:
    """The steps whose loss is printed: the first, the last, and one after an eighth and after half of them."""
    return sorted({0, steps // 8, steps // 2, steps})


def text(found: list[Row]) -> str:
    """The table: mean and standard deviation over the seeds, and below it what gradcheck says."""
    seeds, steps = len(found[0].losses), len(found[0].losses[0]) - 1
    shown = shown_steps(steps)
    head = "".join(f"{step:>16}" for step in shown[1:])
    over = "with one seed" if seeds == 1 else f"mean over {seeds} seeds, and standard deviation"
    lines = [f"Loss after so many steps: {over}", ""]
    lines += [f"{'planted':30}{0:>7}{head}{'new crops':>15}"]
    for row in found:
        cells = [spread([losses[step] for losses in row.losses], 5) for step in shown[1:]]
        numbers = "".join(f"{cell:>16}" for cell in cells)
        begin = np.mean([losses[0] for losses in row.losses])
        lines += [f"{row.name:30}{begin:>7.4f}{numbers}{spread(row.new_crops, 4):>15}"]
    lines += ["", "What gradcheck says:", ""]
    for row in found:
        lines += textwrap.wrap(row.gradcheck, 98, initial_indent=f"{row.name:30} ", subsequent_indent=" " * 31)
    return "\n".join(lines)


def markdown(data: Mapping[str, Any]) -> str:
    """The rows of docs/learn/planted.json in Markdown, with the beginning of what gradcheck says as last column."""
    rows = data["rows"]
    shown = shown_steps(len(rows[0]["losses"][0]) - 1)[1:]
    lines = ["| planted | " + " | ".join(f"loss at {step}" for step in shown) + " | new crops | gradcheck |"]
    lines += ["|---|" + "---:|" * (len(shown) + 1) + "---|"]
    for row in rows:
        cells = [spread([losses[step] for losses in row["losses"]], 5) for step in shown]
        says = row["gradcheck"].split(";")[0]
        name, _, cause = says.partition(": ")
        says = f"{name}: {cause.split(':')[0]}" if cause else says
        lines += [f"| {row['title']} | {' | '.join(cells)} | {spread(row['new_crops'], 4)} | {says} |"]
    return "\n".join(lines)


def spread(values: list[float], digits: int) -> str:
    """Mean and standard deviation; of one number, itself."""
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean}±{np.std(values):.{digits}f}" if len(values) > 1 else mean
