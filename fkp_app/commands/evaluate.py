"""`fkp evaluate`: how far the points are off on labelled faces."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from fkp_app.errors import UsageError

if TYPE_CHECKING:
    from fkp_app.evaluation import Scores
    from numpynet.data import Batch, DataLoader

SPLITS = ("training", "validation", "test")


def evaluate(
    data: Annotated[Path, typer.Option(help="Data set: training/, test/ and their two CSV files.", show_default=False)],
    split: Annotated[str, typer.Option(help="training, validation or test.", show_default=False)],
    weights: Annotated[Path | None, typer.Option(help="A .safetensors file.", show_default="the shipped one")] = None,
    backend: Annotated[str, typer.Option(help="numpy or torch.")] = "numpy",
    threads: Annotated[int | None, typer.Option(help="How many to use.", show_default="all cores")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there; - for stdout.")] = None,
) -> None:
    """Measure a network on labelled faces, beside the mean face of the training split.

    Loss figures are in the network's normalised units; NME is the mean distance between predicted and labelled
    points over the distance of the outer eye corners, in percent. `validation` is people the shipped weights never
    saw; all people of `test` are in the training file, too.
    """
    from typing import cast

    from fkp_app.backends import get_predictor
    from fkp_app.dataset import Split
    from fkp_app.evaluation import evaluate as measure
    from fkp_app.results import write_text

    if split not in SPLITS:
        raise UsageError(f"--split must be {', '.join(SPLITS[:-1])} or {SPLITS[-1]}, got {split}")
    predictor = get_predictor(backend, weights, threads)
    scores = measure(predictor, data, cast(Split, split), _with_bar)
    if json_file is None or str(json_file) != "-":
        _print(scores, f"{split}: {scores['model'].images} faces, backend {backend}")
    if json_file is not None:
        report = {"split": split, "backend": backend, "weights": str(weights) if weights else "shipped"}
        figures = {name: asdict(figure) for name, figure in scores.items()}
        write_text(json_file, json.dumps(report | figures, indent=2) + "\n")


def _with_bar(loader: "DataLoader") -> "Iterable[Batch]":
    console = Console(stderr=True)
    return track(loader, description="evaluating", console=console, transient=True, disable=not console.is_terminal)


def _print(scores: "dict[str, Scores]", title: str) -> None:
    table = Table("", "MSE", "SmoothL1", "NME mean", "NME median", title=title)
    for name, figure in scores.items():
        losses = (f"{figure.mse:.5f}", f"{figure.smooth_l1:.5f}")
        table.add_row(name.replace("_", " "), *losses, f"{figure.nme:.3f} %", f"{figure.nme_median:.3f} %")
    Console(file=sys.stdout, highlight=False).print(table)
