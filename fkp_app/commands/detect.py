"""`fkp detect`, `fkp filter` and `fkp demo`: faces and their keypoints in photos."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fkp_app.errors import FkpError, UsageError

if TYPE_CHECKING:
    from fkp_app.keypoints import Face
    from fkp_app.results import ImageResult
    from numpynet.typing import AnyArray

    Draw = Callable[[AnyArray, list[Face]], AnyArray]

Sources = Annotated[list[Path], typer.Argument(help="Images, or folders of images.", show_default=False)]
Backend = Annotated[str, typer.Option(help="numpy or torch.")]
Weights = Annotated[Path | None, typer.Option(help="A .safetensors file.", show_default="the shipped one")]
Threads = Annotated[int | None, typer.Option(help="How many to use.", show_default="all cores")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write all numbers there as JSON; - for stdout.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Write a row a face there as CSV; - for stdout.")]
PHOTO = ("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg")


def detect(
    sources: Sources,
    backend: Backend = "numpy",
    weights: Weights = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for pictures with boxes and points; made if missing.")
    ] = None,
    threads: Threads = None,
) -> None:
    """Find faces and place 68 keypoints on each.

    Coordinates are pixels of the image as displayed (EXIF orientation applied). A picture goes to --out under its own
    name with .png put behind (photo.jpg becomes photo.jpg.png), so that no two can collide. A file that cannot be read
    is reported, the rest goes on, and the exit code is 1.
    """
    from fkp_app.drawing import draw_faces
    from fkp_app.results import to_csv, to_json, write_text

    to_stdout = [option for option in (json_file, csv_file) if str(option) == "-"]
    if len(to_stdout) > 1:
        raise UsageError("--json - and --csv - cannot both write to standard output; give one of them a file")
    results, failed = _process(sources, backend, weights, threads, out, draw_faces, quiet=bool(to_stdout))
    if json_file is not None:
        write_text(json_file, to_json(results))
    if csv_file is not None:
        write_text(csv_file, to_csv(results))
    _finish(failed)


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
    _finish(failed)


def demo(
    backend: Backend = "numpy",
    out: Annotated[Path, typer.Option(help="Folder for the results; made if missing.")] = Path("demo"),
) -> None:
    """Show the whole chain on a photo of Grace Hopper that comes with matplotlib (public domain)."""
    from fkp_app.backends import get_predictor
    from fkp_app.detector import FaceDetector
    from fkp_app.drawing import draw_faces
    from fkp_app.filters import STYLES, wear
    from fkp_app.images import read_image, write_image
    from fkp_app.keypoints import find_faces
    from fkp_app.results import ImageResult, to_json, write_text

    photo = sample_photo()
    predictor = get_predictor(backend)
    _make_folder(out)
    image = read_image(photo)
    faces = find_faces(image, FaceDetector(), predictor)
    write_image(out / "keypoints.png", draw_faces(image, faces))
    write_image(out / "sunglasses.png", wear(image, faces, STYLES["sunglasses"]))
    result = ImageResult(photo.name, image.shape[1], image.shape[0], faces)
    write_text(out / "faces.json", to_json([result]))
    typer.echo(f"{_summary(result)}; see keypoints.png, sunglasses.png and faces.json in {out}")


def sample_photo() -> Path:
    """Where matplotlib keeps its photo, found without importing it. FkpError where it is not there."""
    package, *rest = PHOTO
    spec = importlib.util.find_spec(package)
    photo = Path(spec.origin).parent.joinpath(*rest) if spec is not None and spec.origin else None
    if photo is None or not photo.is_file():
        raise FkpError("the demo's photo is missing: pip install matplotlib, or run `fkp detect` on a photo of yours")
    return photo


def _process(
    sources: list[Path],
    backend: str,
    weights: Path | None,
    threads: int | None,
    out: Path | None,
    draw: "Draw",
    quiet: bool = False,
) -> "tuple[list[ImageResult], int]":
    """Results of all images that could be read, in order, and how many could not; pictures go to `out`."""
    import cv2

    from fkp_app.backends import get_predictor
    from fkp_app.detector import FaceDetector
    from fkp_app.images import read_image, write_image
    from fkp_app.keypoints import find_faces
    from fkp_app.results import ImageResult

    predictor, detector = get_predictor(backend, weights, threads), FaceDetector()
    if threads is not None:
        cv2.setNumThreads(threads)
    results: list[ImageResult] = []
    failed = 0
    taken: set[Path] = set()
    if out is not None:
        _make_folder(out)
    for source in _images(sources):
        try:
            if isinstance(source, FkpError):
                raise source
            image = read_image(source)
        except FkpError as error:
            typer.echo(f"fkp: {error}", err=True)
            failed += 1
            continue
        faces = find_faces(image, detector, predictor)
        result = ImageResult(str(source), image.shape[1], image.shape[0], faces)
        results.append(result)
        if out is not None:
            target = _target(out, source, taken)
            write_image(target, draw(image, faces))
        if not quiet:
            typer.echo(_summary(result) + (f" -> {target}" if out is not None else ""))
        elif not faces:
            typer.echo(f"fkp: {_summary(result)}", err=True)
    return results, failed


def _images(sources: list[Path]) -> "Iterator[Path | FkpError]":
    """Every image of the sources; an error where a folder cannot be listed."""
    from fkp_app.images import list_images

    for source in sources:
        try:
            yield from list_images(source)
        except FkpError as error:
            yield error


def _target(out: Path, source: Path, taken: set[Path]) -> Path:
    """Where a source's picture goes; a number is added where two folders hold files of one name."""
    name, number = source.name, 1
    while (target := out / (f"{name}.png" if number == 1 else f"{name}.{number}.png")) in taken:
        number += 1
    taken.add(target)
    return target


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"--out {out} is a file; name a folder") from None
    except OSError as error:
        raise UsageError(f"--out {out} cannot be made ({error.strerror}); choose another place") from None


def _summary(result: "ImageResult") -> str:
    count = len(result.faces)
    return f"{result.image}: {count or 'no'} face{'' if count == 1 else 's'} found"


def _finish(failed: int) -> None:
    """Exit code 1 where a file was bad, once everything else is done."""
    if failed:
        typer.echo(f"fkp: {failed} of the sources could not be used", err=True)
        sys.stdout.flush()
        raise typer.Exit(1)
