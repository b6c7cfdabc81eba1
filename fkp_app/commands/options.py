"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from fkp_app.errors import UsageError

Sources = Annotated[
    list[str],
    typer.Argument(
        help="Images, videos, folders, patterns in quotes such as 'trip/*.jpg', or camera:0.",
        metavar="SOURCE",
        show_default=False,
    ),
]
DATA = "A folder of pictures with a CSV of labels, that CSV, or training/ and test/ with their two CSV files."
"""What --data names."""
Backend = Annotated[str, typer.Option(help="numpy, torch or onnx.")]
Weights = Annotated[
    Path | None, typer.Option(help="A .safetensors file, or .onnx for that backend.", show_default="the shipped one")
]
Threads = Annotated[int | None, typer.Option(help="How many to use.", show_default="all cores")]
Confidence = Annotated[
    float | None, typer.Option(help="Leave out faces less sure than this, 0 to 1.", show_default="0.5")
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Look into folders in folders, too.")]
Workers = Annotated[int, typer.Option(help="Processes that share out a run's images.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print problems alone.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print sizes, times and confidences, too.")]
Smooth = Annotated[bool, typer.Option("--smooth/--no-smooth", help="Steady the points from frame to frame of a video.")]
Show = Annotated[
    bool | None,
    typer.Option("--window/--no-window", help="Show what is worked on.", show_default="for a camera, not for a video"),
]
Record = Annotated[
    Path | None, typer.Option(help="Record what the window shows to this video, from the start.", show_default=False)
]


def check_confidence(value: float | None) -> float | None:
    """`value`, if it is a probability or None. UsageError otherwise."""
    if value is not None and not 0 <= value <= 1:
        raise UsageError(f"--min-confidence must be between 0 and 1, got {value}")
    return value
