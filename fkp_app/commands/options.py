"""Options that several commands share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from fkp_app.wording import either

SOURCES = typer.Argument(
    help="Images, videos, folders, patterns in quotes such as 'trip/*.jpg', or camera:0.",
    metavar="SOURCE",
    show_default=False,
)
DATA = "A folder of pictures with a CSV of labels, that CSV, or training/ and test/ with their two CSV files."
"""Help text of a data set."""


def one_of(choices: Sequence[str]) -> Callable[[str | None], str | None]:
    """A callback for an option that accepts only these values, or None. It raises BadParameter for any other value."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in choices:
            raise typer.BadParameter(f"must be {either(choices)}, got {value}")
        return value

    return check


def within(low: float, high: float | None = None) -> Callable[[float | None], float | None]:
    """A callback for an option that accepts only numbers in low .. high, or None. BadParameter for any other, also NaN.

    Typer's own `min` and `max` let NaN pass, and with some versions of Typer the message does not name the value.
    """
    allowed = f"at least {low}" if high is None else f"between {low} and {high}"

    def check(value: float | None) -> float | None:
        if value is not None and not (low <= value and (high is None or value <= high)):
            raise typer.BadParameter(f"must be {allowed}, got {value}")
        return value

    return check


Backend = Annotated[str, typer.Option(help="numpy, torch or onnx.")]
Weights = Annotated[
    Path | None, typer.Option(help="A .safetensors file, or .onnx for that backend.", show_default="the shipped one")
]
DETECTORS = ("haar", "net", "both")
Detector = Annotated[
    str | None,
    typer.Option(
        help="What proposes faces: haar, OpenCV's cascades; net, a network; or both.",
        show_default="net",
        callback=one_of(DETECTORS),
    ),
]
Threads = Annotated[int | None, typer.Option(help="Number of threads.", show_default="all cores", callback=within(1))]
CheckpointEvery = Annotated[
    float | None,
    typer.Option(
        help="Minutes between the checkpoints within an epoch; 0 for one after each step.",
        metavar="MINUTES",
        show_default="5",
        callback=within(0, 1e6),
    ),
]
Confidence = Annotated[
    float | None,
    typer.Option(
        help="Leave out faces with less confidence than this, 0 to 1.", show_default="0.5", callback=within(0, 1)
    ),
]
QUALITIES = ("fast", "best")
Quality = Annotated[
    str,
    typer.Option(
        help="best: the mean of several networks places the points. The found faces are the same.",
        show_default=True,
        callback=one_of(QUALITIES),
    ),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Search the folders inside of folders, too.")]
Workers = Annotated[int, typer.Option(help="Number of processes that share the images.", callback=within(1, 256))]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only problems.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print sizes, times and confidences, too.")]
Smooth = Annotated[bool, typer.Option("--smooth/--no-smooth", help="Smooth the points from frame to frame of a video.")]
Window = Annotated[
    bool | None,
    typer.Option(
        "--window/--no-window", help="Show each frame in a window.", show_default="for a camera, not for a video"
    ),
]
Record = Annotated[
    Path | None, typer.Option(help="Record the window to this video file, from the start.", show_default=False)
]
