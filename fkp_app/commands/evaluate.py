"""`fkp evaluate`: measure how far a network's points are from the labelled ones."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import track

from fkp_app.commands.options import DATA, Backend, Detector, Quality, Quiet, Threads, one_of
from fkp_app.errors import FkpError, UsageError
from fkp_app.pipeline.reporter import Reporter
from fkp_app.wording import count_of, either

if TYPE_CHECKING:
    from fkp_app.data.dataset import FacialKeypointsDataset, LabelledData
    from fkp_app.evaluation.protocols import Result

Item = TypeVar("Item")

SPLITS = ("training", "validation", "report", "test")


def evaluate(
    data: Annotated[Path | None, typer.Option(help=DATA, show_default=False)] = None,
    split: Annotated[
        str | None, typer.Option(help=f"{either(SPLITS)}.", show_default=False, callback=one_of(SPLITS))
    ] = None,
    photos: Annotated[
        Path | None, typer.Option(help="A folder of photos, instead of --data and --split.", show_default=False)
    ] = None,
    faces: Annotated[
        Path | None,
        typer.Option(help="The faces in --photos: JSON as fkp detect --json writes it.", show_default=False),
    ] = None,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file of weights; repeat it to compare several in one table.", show_default="the shipped one"
        ),
    ] = None,
    backend: Backend = "numpy",
    detector: Detector = None,
    quality: Quality = "fast",
    threads: Threads = None,
    rolled: Annotated[
        bool, typer.Option("--rolled", help="Measure on frames rotated by up to 45 degrees, too.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file; - for stdout.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables, results.json and pictures.")] = None,
    quiet: Quiet = False,
) -> None:
    """Measure networks on labelled faces and compare them with the mean face of the training split.

    NME is the mean distance between predicted and labelled points, divided by the distance between the outer eye
    corners, in percent, with a 95 % interval (bootstrap over people). AUC is the area under the CED curve up to 10 %,
    as a share of 1. MSE and SmoothL1 are in the network's units. Rows: *crop*, the labelled face framed as `fkp detect`
    frames it; *course crop*, the window of the course project; *end to end*, whole frames through the face detector,
    with the errors of the faces that it found. The folder --out receives table.md, results.json, ced.png, errors.png
    and sheet.png. The sheet shows frames of people who were not asked, so do not publish it. Choose on `validation` and
    report figures on `report`: training leaves the people of both out; the people of `test` are in training, too.
    --quality best adds rows for the mean of each file's network and those beside it, as in `fkp detect --help`.

    With --photos and --faces: how many of the labelled faces are found in whole photos, how many false ones, and the
    NME of the found ones whose points are labelled. The folder --out receives table.md and results.json.
    """
    from fkp_app.backends.predictor import get_predictor
    from fkp_app.commands.evaluate_photos import evaluate_photos
    from fkp_app.data.dataset import load_data
    from fkp_app.evaluation.protocols import run_all
    from fkp_app.evaluation.summary import tables
    from fkp_app.faces.detectors import make_detector
    from fkp_app.faces.finder import finders, load_best
    from fkp_app.pipeline.outputs import check_file, make_folder
    from fkp_app.pipeline.results import write_result

    check_file("--json", json_file)
    files = _by_name(weights or [None])
    if photos is not None or faces is not None:
        if photos is None or faces is None or data is not None or split is not None or rolled:
            raise UsageError("--photos needs --faces and the reverse, and neither --data, --split nor --rolled")
    elif data is None or split is None:
        raise UsageError("name what to measure on: --data and --split, or --photos and --faces")
    predictors = {name: get_predictor(backend, path, threads, own_process=True) for name, path in files.items()}
    best = {name: load_best(predictors[name], files[name], threads) for name in files if quality == "best"}
    found_by = make_detector(detector, own_process=True)
    if photos is not None and faces is not None:
        evaluate_photos(photos, faces, finders(found_by, predictors, best), json_file, out, quiet, _with_bar)
        return
    assert data is not None
    assert split is not None
    found = load_data(data)
    if split not in found.splits:
        raise UsageError(f"--split: {data} has no {split} split; choose {', '.join(found.splits)}")
    dataset = found.splits[split]
    if not len(dataset):
        raise FkpError(f"{data}: its {split} split is empty; choose another --split")
    for remark in found.remarks:
        Reporter(quiet).note(remark)
    if out is not None:
        make_folder(out)
    rows = run_all(predictors, data, dataset, found_by, rolled, _with_bar, best)
    people = len(set(rows[0].people))
    whose = "1 person" if people == 1 else f"{people} people"
    title = f"{split}: {count_of(len(dataset), 'face')} of {whose}, backend {backend}"
    text = f"{title}\n\n{tables(rows)}\n{_caution(found, split, rows[0].people)}\n"
    if str(json_file) != "-" and not quiet:
        sys.stdout.write(text)
    report = _report(split, backend, files, rows, dataset)
    if json_file is not None:
        write_result(json_file, report)
    if out is not None:
        write_result(out / "results.json", report)
        write_result(out / "table.md", text)
        _draw(rows, dataset, out)


def _by_name(weights: "Sequence[Path | None]") -> "dict[str, Path | None]":
    """The files by their names in the table: the stem, or folder/stem for files with the same stem."""
    from fkp_app.backends.predictor import SHIPPED_WEIGHTS

    paths = [path or SHIPPED_WEIGHTS for path in weights]
    stems = [path.stem for path in paths]
    names = [
        stem if stems.count(stem) == 1 else f"{path.resolve().parent.name}/{stem}"
        for stem, path in zip(stems, paths, strict=True)
    ]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--weights: two files would both be called {name} in the table; rename one")
    return dict(zip(names, weights, strict=True))


def _caution(data: "LabelledData", split: str, people: "Sequence[str]") -> str:
    """One line that says how far figures on this split can be trusted."""
    trained = set(data.splits["training"].people)
    shared, everyone = len(trained & set(people)), len(set(people))
    if split == "training":
        return "Training: the very frames that networks learn from; no measure of how good they are on others."
    if shared:
        return f"Leak: {shared} of these {everyone} people are in the training split too, perhaps in other frames."
    if data.told == "file":
        return "Perhaps a leak: nothing says who is in a file, so these people may be in the training split too."
    use = "everything is chosen on them" if split == "validation" else "nothing should be chosen on them"
    return f"No leak: none of these {everyone} people is in the training split; {use}."


def _report(
    split: str,
    backend: str,
    files: "dict[str, Path | None]",
    rows: "Sequence[Result]",
    dataset: "FacialKeypointsDataset",
) -> str:
    """All figures as JSON. "model" and "mean_face" hold the scores on crops of the first model and of the baseline."""
    from fkp_app.evaluation.metrics import LIMIT
    from fkp_app.evaluation.protocols import MEAN_FACE
    from fkp_app.evaluation.summary import LEVELS, to_dict

    baseline = next(row for row in rows if (row.model, row.protocol) == (MEAN_FACE, "crop"))
    assert rows[0].scores is not None
    assert baseline.scores is not None
    report: dict[str, Any] = {
        "split": split,
        "backend": backend,
        "weights": {name: str(path) if path else "shipped" for name, path in files.items()},
        "model": asdict(rows[0].scores),
        "mean_face": asdict(baseline.scores),
        "failure_limit": LIMIT,
        "ced_levels": LEVELS.tolist(),
        "rows": to_dict(rows, dataset),
    }
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"


def _draw(rows: "Sequence[Result]", dataset: "FacialKeypointsDataset", out: Path) -> None:
    from fkp_app.evaluation.pictures import draw_sheet, plot_ced, plot_errors

    try:
        plot_ced(rows, out / "ced.png")
        plot_errors(rows, out / "errors.png")
        draw_sheet(rows[0], dataset, out / "sheet.png")
    except OSError as error:
        raise FkpError(f"--out {out}: cannot be written ({error.strerror or error})") from None


def _with_bar(items: Sequence[Item], label: str) -> Iterable[Item]:
    console = Console(stderr=True)
    return track(items, description=label, console=console, transient=True, disable=not console.is_terminal)
