"""`fkp detect` and `fkp filter`: faces, their keypoints and what they wear, in photos."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fkp_app.errors import FkpError, UsageError

if TYPE_CHECKING:
    from fkp_app.keypoints import Face
    from fkp_app.results import ImageResult
    from numpynet.typing import AnyArray

    Draw = Callable[[AnyArray, list[Face]], AnyArray]

Sources = Annotated[
    list[Path], typer.Argument(help="Images, or folders of images.", metavar="SOURCE", show_default=False)
]
Backend = Annotated[str, typer.Option(help="numpy or torch.")]
Weights = Annotated[Path | None, typer.Option(help="A .safetensors file.", show_default="the shipped one")]
Threads = Annotated[int | None, typer.Option(help="How many to use.", show_default="all cores")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write all numbers there as JSON; - for stdout.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Write a row a face there as CSV; - for stdout.")]


def detect(
    sources: Sources,
    backend: Backend = "numpy",
    weights: Weights = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for pictures with boxes and points; made if missing.")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="Leave out faces less sure than this, 0 to 1.", show_default="0.5")
    ] = None,
    threads: Threads = None,
) -> None:
    """Find faces and place 68 keypoints on each.

    Coordinates are pixels of the image as displayed (EXIF orientation applied). A picture goes to --out under its own
    name with .png put behind (photo.jpg becomes photo.jpg.png), with a number before it where that would be a source or
    another picture. A file that cannot be read is reported, the rest goes on, and the exit code is 1; where nothing
    could be read, neither JSON nor CSV is written.
    """
    from fkp_app.drawing import draw_faces
    from fkp_app.outputs import check_file
    from fkp_app.results import to_csv, to_json, write_text

    to_stdout = [option for option in (json_file, csv_file) if str(option) == "-"]
    if len(to_stdout) > 1:
        raise UsageError("--json - and --csv - cannot both write to standard output; give one of them a file")
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise UsageError(f"--min-confidence must be between 0 and 1, got {min_confidence}")
    check_file("--json", json_file)
    check_file("--csv", csv_file)
    results, failed = _process(
        sources, backend, weights, threads, out, draw_faces, quiet=bool(to_stdout), min_confidence=min_confidence
    )
    if results and json_file is not None:
        write_text(json_file, to_json(results))
    if results and csv_file is not None:
        write_text(csv_file, to_csv(results))
    if failed:
        raise typer.Exit(1)


def filter_command(
    sources: Sources,
    out: Annotated[Path, typer.Option(help="Folder for the pictures; made if missing.", show_default=False)],
    style: Annotated[str, typer.Option(help="What the faces wear: sunglasses.")] = "sunglasses",
    backend: Backend = "numpy",
    weights: Weights = None,
    threads: Threads = None,
) -> None:
    """Put sunglasses on every face.

    Pictures are named as by `fkp detect --out`. A picture without a face is written as it is.
    """
    from fkp_app.filters import STYLES, wear

    if style not in STYLES:
        raise UsageError(f"--style must be {' or '.join(STYLES)}, got {style}")
    _, failed = _process(
        sources, backend, weights, threads, out, lambda image, faces: wear(image, faces, STYLES[style])
    )
    if failed:
        raise typer.Exit(1)


def _process(
    sources: list[Path],
    backend: str,
    weights: Path | None,
    threads: int | None,
    out: Path | None,
    draw: "Draw",
    quiet: bool = False,
    min_confidence: float | None = None,
) -> "tuple[list[ImageResult], int]":
    """Results of all images that could be read, in order, and how many could not; pictures go to `out`."""
    import cv2

    from fkp_app.backends import get_predictor
    from fkp_app.confidence import MIN_CONFIDENCE
    from fkp_app.detector import FaceDetector
    from fkp_app.images import read_image, write_image
    from fkp_app.keypoints import find_faces
    from fkp_app.outputs import make_folder, picture_paths
    from fkp_app.results import ImageResult

    predictor, detector = get_predictor(backend, weights, threads), FaceDetector()
    least = MIN_CONFIDENCE if min_confidence is None else min_confidence
    if threads is not None:
        cv2.setNumThreads(threads)
    if out is not None:
        make_folder(out)
    images, failed = _images(sources)
    targets = [None] * len(images) if out is None else picture_paths(out, images)
    results: list[ImageResult] = []
    for source, target in zip(images, targets, strict=True):
        try:
            image = read_image(source)
        except FkpError as error:
            _report(error)
            failed += 1
            continue
        faces = find_faces(image, detector, predictor, min_confidence=least)
        name = os.fsencode(source).decode(errors="backslashreplace")  # a name need not be UTF-8, JSON must
        result = ImageResult(name, image.shape[1], image.shape[0], faces)
        results.append(result)
        if target is not None:
            write_image(target, draw(image, faces))
        if not quiet:
            typer.echo(result.summary() + (f" -> {target}" if target is not None else ""))
        elif not faces:
            typer.echo(f"fkp: {result.summary()}", err=True)
    return results, failed


def _images(sources: list[Path]) -> tuple[list[Path], int]:
    """Every image of the sources, and how many sources were folders without one, which are reported."""
    from fkp_app.images import list_images

    images: list[Path] = []
    failed = 0
    for source in sources:
        try:
            images += list_images(source)
        except FkpError as error:
            _report(error)
            failed += 1
    return images, failed


def _report(error: FkpError) -> None:
    one_line = " ".join(str(error).split())
    typer.echo(f"fkp: {one_line}", err=True)
